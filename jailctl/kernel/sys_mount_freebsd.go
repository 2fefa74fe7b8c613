package kernel

import (
	"runtime"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// nmount mounts a file system, or changes one that is mounted.
func nmount(object string, params []Param, flags int) error {
	_, _, err := optionCall(sysNmount, "nmount", object, params, flags)
	return err
}

// unmount takes a path, or a FSID in its text form with MNT_BYFSID.
func unmount(target string, flags int) error {
	path, err := unix.BytePtrFromString(target)
	if err != nil {
		return newError("unmount", strconv.Quote(target), syscall.EINVAL)
	}
	errno := syscall.EINTR
	for errno == syscall.EINTR {
		_, _, errno = unix.Syscall6(sysUnmount, uintptr(unsafe.Pointer(path)), uintptr(flags), 0, 0, 0, 0)
	}
	if errno != 0 {
		return newError("unmount", strconv.Quote(target), errno)
	}
	return nil
}

// getfsstat fills buf with as many struct statfs as fit and returns their number;
// with an empty buf, the number of mounts.
func getfsstat(buf []byte, flags int) (int, error) {
	n, _, errno := unix.Syscall6(sysGetfsstat, uintptr(pointer(buf)), uintptr(len(buf)), uintptr(flags), 0, 0, 0)
	runtime.KeepAlive(buf)
	if errno != 0 {
		return 0, newError("getfsstat", "", errno)
	}
	return int(n), nil
}

// statfsOf fills buf, of the size of a struct statfs, for the mount that holds
// target.
func statfsOf(target string, buf []byte) error {
	path, err := unix.BytePtrFromString(target)
	if err != nil {
		return newError("statfs", strconv.Quote(target), syscall.EINVAL)
	}
	errno := syscall.EINTR
	for errno == syscall.EINTR {
		_, _, errno = unix.Syscall6(sysStatfs, uintptr(unsafe.Pointer(path)), uintptr(pointer(buf)), 0, 0, 0, 0)
	}
	runtime.KeepAlive(buf)
	if errno != 0 {
		return newError("statfs", strconv.Quote(target), errno)
	}
	return nil
}

// fstatfs fills buf, of the size of a struct statfs, for the mount that holds what is
// open.
func fstatfs(fd int, buf []byte) error {
	errno := syscall.EINTR
	for errno == syscall.EINTR {
		_, _, errno = unix.Syscall6(sysFstatfs, uintptr(fd), uintptr(pointer(buf)), 0, 0, 0, 0)
	}
	runtime.KeepAlive(buf)
	if errno != 0 {
		return newError("fstatfs", strconv.Itoa(fd), errno)
	}
	return nil
}
