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

// isChild returns nil if pid is a child, ended or not, else an error wrapping
// ECHILD.
func isChild(pid int) error {
	_, err := kernel.WaitPid(pid, true)
	return err
}

// hasEnded reports whether the child pid has ended and was not reaped.
func hasEnded(pid int) bool {
	z, err := kernel.WaitPid(pid, true)
	return err == nil && z.Pid == pid
}

// dup2 makes newfd a copy of oldfd.
func dup2(oldfd, newfd int) error { return unix.Dup2(oldfd, newfd) }
