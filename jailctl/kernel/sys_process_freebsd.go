package kernel

import (
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// reaperPids is struct procctl_reaper_pids. It holds a pointer, so it is the one
// structure that is not encoded byte by byte.
type reaperPids struct {
	count uint32
	_     [15]uint32
	pids  unsafe.Pointer
}

var (
	_ [reaperPidsSize]byte = [unsafe.Sizeof(reaperPids{})]byte{}
	_ [offPidsCount]byte   = [unsafe.Offsetof(reaperPids{}.count)]byte{}
	_ [offPidsPids]byte    = [unsafe.Offsetof(reaperPids{}.pids)]byte{}
)

// procctl makes a call for the calling process; op names the command. Data is nil
// for commands that take none: the kernel refuses these any address.
func procctl(op string, command int, data []byte) error {
	_, _, errno := unix.Syscall6(sysProcctl, idPID, 0, uintptr(command), uintptr(pointer(data)), 0, 0)
	runtime.KeepAlive(data)
	if errno != 0 {
		return newError(op, "", errno)
	}
	return nil
}

// procctlGetpids fills entries with struct procctl_reaper_pidinfo.
func procctlGetpids(entries []byte) error {
	arg := reaperPids{count: uint32(len(entries) / reaperPidinfoSize), pids: pointer(entries)}
	_, _, errno := unix.Syscall6(sysProcctl, idPID, 0, procReapGetpids, uintptr(unsafe.Pointer(&arg)), 0, 0)
	runtime.KeepAlive(entries)
	if errno != 0 {
		return newError("procctl PROC_REAP_GETPIDS", "", errno)
	}
	return nil
}

// wait6 returns the pid and the wait status of a child, and fills usage with its
// struct __wrusage. Pid is 0 if WNOHANG is set and no child has what was asked.
func wait6(object string, idType, id, options int, usage []byte) (pid int, status int32, err error) {
	var r uintptr
	errno := syscall.EINTR
	for errno == syscall.EINTR {
		r, _, errno = unix.Syscall6(sysWait6, uintptr(idType), uintptr(id), uintptr(unsafe.Pointer(&status)),
			uintptr(options), uintptr(pointer(usage)), 0)
	}
	runtime.KeepAlive(usage)
	if errno != 0 {
		return 0, 0, newError("wait6", object, errno)
	}
	return int(r), status, nil
}

func posixOpenpt(flags int) (int, error) {
	fd, _, errno := unix.Syscall6(sysPosixOpenpt, uintptr(flags), 0, 0, 0, 0, 0)
	if errno != 0 {
		return -1, newError("posix_openpt", "", errno)
	}
	return int(fd), nil
}
