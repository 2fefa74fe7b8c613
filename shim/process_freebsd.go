package shim

import (
	"errors"

	"golang.org/x/sys/unix"
)

// Numbers of FreeBSD's sys/procctl.h and sys/wait.h; the same in 14 and 15.
const (
	sysWait6   = 532 // SYS_wait6, sys/syscall.h
	sysProcctl = 544 // SYS_procctl, sys/syscall.h

	idPID = 0 // P_PID, sys/wait.h (idtype_t)
	idAll = 7 // P_ALL, sys/wait.h (idtype_t)

	optNoHang = 0x01 // WNOHANG
	optNoWait = 0x08 // WNOWAIT: leave the zombie
	optExited = 0x10 // WEXITED

	procReapAcquire = 2 // PROC_REAP_ACQUIRE
)

// becomeSubreaper makes orphans among our descendants our children. The call
// has six arguments of which the data must be nil: procctl(2). Repeating it is
// EBUSY, which is as good.
func becomeSubreaper() error {
	_, _, errno := unix.Syscall6(sysProcctl, idPID, 0, procReapAcquire, 0, 0, 0)
	if errno != 0 && errno != unix.EBUSY {
		return errno
	}
	return nil
}

// peekZombie returns a child that has ended, without reaping it; 0 if there is
// none that has.
func peekZombie() (int, error) {
	pid, err := wait6(idAll, 0, optExited|optNoHang|optNoWait)
	if errors.Is(err, unix.ECHILD) {
		return 0, nil
	}
	return pid, err
}

// isChild returns nil if pid is a child, ended or not, else ECHILD.
func isChild(pid int) error {
	_, err := wait6(idPID, pid, optExited|optNoHang|optNoWait)
	return err
}

// hasEnded reports whether the child pid has ended and was not reaped.
func hasEnded(pid int) bool {
	got, err := wait6(idPID, pid, optExited|optNoHang|optNoWait)
	return err == nil && got == pid
}

func wait6(idType, id, options int) (int, error) {
	pid, _, errno := unix.Syscall6(sysWait6, uintptr(idType), uintptr(id), 0, uintptr(options), 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(pid), nil
}

// dup2 makes newfd a copy of oldfd.
func dup2(oldfd, newfd int) error { return unix.Dup2(oldfd, newfd) }
