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
func (k *Container) Pause(ctx context.Context) error {
	all, err := k.processes()
	if err != nil {
		return err
	}
	var before []int
	for _, p := range all {
		if p.Stat == kernel.ProcStop {
			before = append(before, p.Pid)
		}
	}
	end := until(ctx, pauseTimeout)
	for pause := firstPause; ; pause = min(2*pause, longPause) {
		running := 0
		for _, p := range all {
			if p.Stat == kernel.ProcStop {
				continue
			}
			running++
			if err := syscall.Kill(p.Pid, syscall.SIGSTOP); err != nil && !errors.Is(err, syscall.ESRCH) {
				return errors.Join(fmt.Errorf("stop process %d: %w", p.Pid, err), k.wake(before))
			}
		}
		if running == 0 {
			break
		}
		if time.Now().After(end) {
			return errors.Join(fmt.Errorf("pause: %d processes have not stopped: %w", running, context.DeadlineExceeded), k.wake(before))
		}
		time.Sleep(pause)
		if all, err = k.processes(); err != nil {
			return err
		}
	}
	return k.setPaused(true, before)
}

// Resume implements driver.Container. Processes that had been stopped before the
// pause stay so.
func (k *Container) Resume(context.Context) error {
	k.mu.Lock()
	before := k.state.Stopped
	k.mu.Unlock()
	if err := k.wake(before); err != nil {
		return err
	}
	return k.setPaused(false, nil)
}

// wake lets all processes go on but some.
func (k *Container) wake(but []int) error {
	all, err := k.processes()
	if err != nil {
		return err
	}
	for _, p := range all {
		if slices.Contains(but, p.Pid) {
			continue
		}
		if err := syscall.Kill(p.Pid, syscall.SIGCONT); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("continue process %d: %w", p.Pid, err)
		}
	}
	return nil
}

func (k *Container) setPaused(paused bool, stopped []int) error {
	k.mu.Lock()
	k.state.Paused, k.state.Stopped = paused, stopped
	k.mu.Unlock()
	return k.save()
}
