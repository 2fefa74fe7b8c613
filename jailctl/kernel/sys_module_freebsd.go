package kernel

import (
	"fmt"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

func kldload(name string) error { return moduleCall(sysKldload, "kldload", name) }

func modfind(name string) error { return moduleCall(sysModfind, "modfind", name) }

func moduleCall(trap int, op, name string) error {
	object := fmt.Sprintf("module %q", name)
	text, err := unix.BytePtrFromString(name)
	if err != nil {
		return newError(op, object, syscall.EINVAL)
	}
	_, _, errno := unix.Syscall6(uintptr(trap), uintptr(unsafe.Pointer(text)), 0, 0, 0, 0, 0)
	if errno != 0 {
		return newError(op, object, errno)
	}
	return nil
}
