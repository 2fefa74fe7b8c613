package kernel

import (
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sysctl reads a node into old, after writing new to it if that is not empty. It
// returns the size of the value; with an empty old, the room that it needs. A
// value that does not fit is ENOMEM.
func sysctl(mib []int32, old, new []byte) (int, error) {
	size := uintptr(len(old))
	_, _, errno := unix.Syscall6(sysSysctl, uintptr(unsafe.Pointer(&mib[0])), uintptr(len(mib)),
		uintptr(pointer(old)), uintptr(unsafe.Pointer(&size)), uintptr(pointer(new)), uintptr(len(new)))
	runtime.KeepAlive(mib)
	runtime.KeepAlive(old)
	runtime.KeepAlive(new)
	if errno != 0 {
		return 0, newError("sysctl", fmt.Sprint(mib), errno)
	}
	return int(size), nil
}
