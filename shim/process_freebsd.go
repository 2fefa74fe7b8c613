package shim

import (
	"errors"

	"golang.org/x/sys/unix"

	"jailshim/jailctl/kernel"
)

// becomeSubreaper makes orphans among our descendants our children.
func becomeSubreaper() error { return kernel.BecomeReaper() }

// peekZombie returns a child that has ended, without reaping it; 0 if there is
// none that has.
func peekZombie() (int, error) {
	z, err := kernel.WaitAny(true)
	if errors.Is(err, unix.ECHILD) {
		return 0, nil
	}
	return z.Pid, err
}

// zombies returns the children that have ended, as far as the kernel tells. It
// tells of the children of a reaper only.
func zombies() []int {
	all, err := kernel.ReaperPids()
	if err != nil {
		return nil
	}
	var out []int
	for _, p := range all {
		if p.Flags&kernel.ReapZombie != 0 && hasEnded(p.Pid) {
			out = append(out, p.Pid)
		}
	}
	return out
}

// peekChild reports whether the child pid has ended, without reaping it. What is no child
// has not, and is an error wrapping ECHILD.
func peekChild(pid int) (ended bool, err error) {
	z, err := kernel.WaitPid(pid, true)
	return err == nil && z.Pid == pid, err
}

// dup2 makes newfd a copy of oldfd.
func dup2(oldfd, newfd int) error { return unix.Dup2(oldfd, newfd) }

// trimProgram takes what was not used of the program out of the process's memory.
func trimProgram() error {
	_, err := kernel.TrimProgram()
	return err
}
