package jailctl

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"

	"github.com/containerd/errdefs"

	"jailshim/jailctl/kernel"
)

// Signal sends a signal to the init, which another process may be the parent of.
// An init that has ended is an error wrapping errdefs.ErrFailedPrecondition.
func (k *Container) Signal(_ context.Context, sig syscall.Signal) error {
	k.mu.Lock()
	id, init := k.state.ID, k.state.Init
	k.mu.Unlock()
	err := syscall.ESRCH
	if alive(init) {
		if err := syscall.Kill(init.Pid, sig); !errors.Is(err, syscall.ESRCH) {
			if err != nil {
				return fmt.Errorf("container %q: signal %d to process %d: %w", id, sig, init.Pid, err)
			}
			return nil
		}
	}
	return fmt.Errorf("container %q: container not running: %w: %w", id, errdefs.ErrFailedPrecondition, err)
}

// Processes returns the container's processes by pid, zombies left out.
func (k *Container) Processes(context.Context) ([]kernel.Process, error) {
	all, err := k.processes()
	slices.SortFunc(all, func(a, b kernel.Process) int { return a.Pid - b.Pid })
	return all, err
}
