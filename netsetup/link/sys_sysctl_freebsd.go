package link

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sysctl reads a node into old, after writing new to it if that is not empty, and
// returns the size of the value. ENOMEM: it does not fit.
func sysctl(mib []int32, old, new []byte) (int, error) {
	size := uintptr(len(old))
	_, _, errno := unix.Syscall6(unix.SYS___SYSCTL, uintptr(unsafe.Pointer(&mib[0])), uintptr(len(mib)),
		uintptr(unsafe.Pointer(unsafe.SliceData(old))), uintptr(unsafe.Pointer(&size)),
		uintptr(unsafe.Pointer(unsafe.SliceData(new))), uintptr(len(new)))
	runtime.KeepAlive(mib)
	runtime.KeepAlive(old)
	runtime.KeepAlive(new)
	if errno != 0 {
		return 0, errno
	}
	return int(size), nil
}

// sysctlByName is sysctl of a node with a name.
func sysctlByName(name string, old, new []byte) (int, error) {
	b := make([]byte, 4*ctlMaxName)
	n, err := sysctl([]int32{ctlSysctl, sysctlName2OID}, b, []byte(name))
	if err != nil {
		return 0, err
	}
	mib := make([]int32, n/4)
	for i := range mib {
		mib[i] = int32(le.Uint32(b[4*i:]))
	}
	return sysctl(mib, old, new)
}
