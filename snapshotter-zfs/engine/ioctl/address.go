//go:build freebsd || linux

package ioctl

import (
	"runtime"
	"unsafe"
)

// address returns where a buffer is, and keeps it there.
func address(pins *runtime.Pinner, b []byte) uint64 {
	if len(b) == 0 {
		return 0
	}
	pins.Pin(&b[0])
	return uint64(uintptr(unsafe.Pointer(&b[0])))
}
