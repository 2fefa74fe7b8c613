package jailctl

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"

	"jailshim/jailctl/kernel"
)

// pauseTimeout bounds the stopping of all processes: one that waits for a disk
// stops only afterwards.
const pauseTimeout = 5 * time.Second

// Pause implements driver.Container. There is no freezer: every process is
// stopped by SIGSTOP, which its parent can notice, and which a debugger can undo.
//
// The state says so first: whatever comes in between, Resume can undo it.
func (k *Container) Pause(ctx context.Context) error {
	k.changing.Lock()
	defer k.changing.Unlock()
	all, err := k.processes()
	if err != nil {
		return err
	}
	if k.paused() {
		return nil // by another call
	}
	var before []int
	for _, p := range all {
		if p.Stat == kernel.ProcStop {
			before = append(before, p.Pid)
		}
	}
	if err := k.setPaused(true, before); err != nil {
		return err
	}
	if err := k.stopAll(ctx, all); err != nil {
		return errors.Join(err, k.wake())
	}
	return nil
}

// stopAll stops the processes, and those that they make meanwhile.
func (k *Container) stopAll(ctx context.Context, all []kernel.Process) error {
	end := until(ctx, pauseTimeout)
	for pause := firstPause; ; pause = min(2*pause, longPause) {
		running := 0
		for _, p := range all {
			if p.Stat == kernel.ProcStop {
				continue
			}
			running++
			if err := syscall.Kill(p.Pid, syscall.SIGSTOP); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("stop process %d: %w", p.Pid, err)
			}
		}
		if running == 0 {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("pause: %d processes have not stopped: %w", running, context.DeadlineExceeded)
		}
		time.Sleep(pause)
		var err error
		if all, err = k.processes(); err != nil {
			return err
		}
	}
}

// Resume implements driver.Container. Processes that had been stopped before the
// pause stay so.
func (k *Container) Resume(context.Context) error {
	k.changing.Lock()
	defer k.changing.Unlock()
	if !k.paused() {
		return nil // another call has done it
	}
	return k.wake()
}

// wake ends a pause: all processes go on but those that had been stopped before.
func (k *Container) wake() error {
	k.mu.Lock()
	before := k.state.Stopped
	k.mu.Unlock()
	all, err := k.processes()
	if err != nil {
		return err
	}
	var errs []error
	for _, p := range all {
		if slices.Contains(before, p.Pid) {
			continue
		}
		if err := syscall.Kill(p.Pid, syscall.SIGCONT); err != nil && !errors.Is(err, syscall.ESRCH) {
			errs = append(errs, fmt.Errorf("continue process %d: %w", p.Pid, err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return k.setPaused(false, nil)
}

func (k *Container) paused() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.state.Paused
}

// setPaused changes the state, unless it can't be saved.
func (k *Container) setPaused(paused bool, stopped []int) error {
	k.mu.Lock()
	was, before := k.state.Paused, k.state.Stopped
	k.state.Paused, k.state.Stopped = paused, stopped
	k.mu.Unlock()
	err := k.save()
	if err != nil {
		k.mu.Lock()
		k.state.Paused, k.state.Stopped = was, before
		k.mu.Unlock()
	}
	return err
}
