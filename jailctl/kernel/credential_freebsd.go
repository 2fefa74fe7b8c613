package kernel

import (
	"errors"
	"fmt"
	"math"
	"syscall"

	"golang.org/x/sys/unix"
)

// What these change belongs to the whole process, all of its threads.

// CloseExecFrom makes all open descriptors from fd on close when the process
// executes a program.
func CloseExecFrom(fd int) error {
	if fd < 0 {
		return newError("close_range", fmt.Sprintf("from %d", fd), syscall.EINVAL)
	}
	return closeRange(uint32(fd), math.MaxUint32, closeRangeCloexec)
}

// SetLoginClass sets the login class that resource rules see. It sets no limits.
// EINVAL: the name is too long or has a NUL. Needs root.
func SetLoginClass(name string) error { return setloginclass(name) }

// GetLoginClass returns the login class of the process.
func GetLoginClass() (string, error) {
	b := make([]byte, loginClassSize)
	if err := getloginclass(b); err != nil {
		return "", err
	}
	return DecodeString(b), nil
}

// SetGroups sets the effective group and the supplementary groups, up to 1023. The
// real and the saved group are left to setresgid(2). Needs root.
func SetGroups(gid int, extra []int) error {
	groups, err := encodeGroups(gid, extra)
	if err != nil {
		return err
	}
	return setgroups(groups)
}

// SetRlimit sets a resource limit of the process, by a number of [RlimitNumbers].
// EPERM: raising a hard limit needs root.
func SetRlimit(resource int, r Rlimit) error {
	if resource != rlimitNofile {
		return setrlimit(resource, encodeRlimit(r))
	}
	// Go raises the soft limit at start and restores it before it executes a
	// program, unless the limit was changed by this call.
	err := unix.Setrlimit(resource, &unix.Rlimit{Cur: kernelRlimit(r.Soft), Max: kernelRlimit(r.Hard)})
	if errno := syscall.Errno(0); errors.As(err, &errno) {
		return newError("setrlimit", rlimitObject(resource), errno)
	}
	return err
}

// SetControllingTerminal makes the terminal fd that of the calling process's
// session, which the process must lead: setsid(2) comes before.
func SetControllingTerminal(fd int) error {
	return ioctl("ioctl TIOCSCTTY", fmt.Sprintf("descriptor %d", fd), fd, tiocSCTTY, nil)
}
