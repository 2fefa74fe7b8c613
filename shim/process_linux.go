package shim

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// becomeSubreaper makes orphans among our descendants our children.
func becomeSubreaper() error {
	return unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
}

// peekZombie returns a child that has ended, without reaping it; 0 if there is
// none that has.
func peekZombie() (int, error) {
	return peek(unix.P_ALL, 0, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT)
}

// zombies returns the children that have ended, as far as the kernel tells: it may
// be built without these files.
func zombies() []int {
	files, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		return nil
	}
	var out []int
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			continue // that thread is gone, and its children are another one's
		}
		for _, field := range strings.Fields(string(b)) {
			if pid, err := strconv.Atoi(field); err == nil && hasEnded(pid) {
				out = append(out, pid)
			}
		}
	}
	return out
}

// peekChild reports whether the child pid has ended, without reaping it. What is no child
// has not, and is an error wrapping ECHILD.
func peekChild(pid int) (ended bool, err error) {
	got, err := peek(unix.P_PID, pid, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT)
	return err == nil && got == pid, err
}

// siginfoChild is the siginfo_t of SIGCHLD, as far as it is needed; 128 bytes
// on all 64-bit Linux systems. Source: include/uapi/asm-generic/siginfo.h.
type siginfoChild struct {
	signo, errno, code int32
	_                  int32
	pid                int32
	_                  [128 - 20]byte
}

var _ [128]byte = [unsafe.Sizeof(siginfoChild{})]byte{}

func peek(idType, id, options int) (int, error) {
	var info siginfoChild
	// Waitid is called directly: x/sys hides the field of siginfo_t with the pid.
	_, _, errno := unix.Syscall6(unix.SYS_WAITID, uintptr(idType), uintptr(id), uintptr(unsafe.Pointer(&info)), uintptr(options), 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(info.pid), nil
}

// dup2 makes newfd a copy of oldfd. Not all Linux architectures have dup2(2).
func dup2(oldfd, newfd int) error { return unix.Dup3(oldfd, newfd, 0) }

// trimProgram does nothing: Linux maps pages of a program when they are used.
func trimProgram() error { return nil }
