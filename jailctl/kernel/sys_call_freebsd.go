package kernel

import (
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Raw wrappers use Syscall6 with every argument spelled out, also where the call
// takes fewer: a shorter form leaves what was in the other registers, and calls
// like procctl look at them.

// optionCall makes one of the calls that take named values: jail_set, jail_get and
// nmount. It returns the call's result and, for each of params, the size that the
// kernel left for its value. The kernel writes results into the Values. A call
// that a signal interrupted has done nothing and is made again.
func optionCall(trap int, op, object string, params []Param, flags int) (int, []int, error) {
	errmsg := make([]byte, errmsgSize)
	buffers, err := encodeOptions(params, errmsg)
	if err != nil {
		return 0, nil, err
	}
	iov := make([]unix.Iovec, len(buffers))
	for i, b := range buffers {
		// An empty value is no address and no size: the kernel takes this for
		// "name alone", and on reading for "tell me the size".
		if len(b) > 0 {
			iov[i].Base = &b[0]
			iov[i].SetLen(len(b))
		}
	}
	var r uintptr
	errno := syscall.EINTR
	for errno == syscall.EINTR {
		r, _, errno = unix.Syscall6(uintptr(trap), uintptr(unsafe.Pointer(&iov[0])), uintptr(len(iov)), uintptr(flags), 0, 0, 0)
	}
	runtime.KeepAlive(buffers)
	if errno != 0 {
		return 0, nil, &Error{Op: op, Object: object, Errno: errno, Detail: DecodeString(errmsg)}
	}
	sizes := make([]int, len(params))
	for i := range sizes {
		sizes[i] = int(iov[2*i+1].Len)
	}
	return int(r), sizes, nil
}

// ioctl makes an ioctl(2) whose argument is in arg; nil for one without.
func ioctl(op, object string, fd int, request uint32, arg []byte) error {
	errno := syscall.EINTR
	for errno == syscall.EINTR {
		_, _, errno = unix.Syscall6(sysIoctl, uintptr(fd), uintptr(request), uintptr(pointer(arg)), 0, 0, 0)
	}
	runtime.KeepAlive(arg)
	if errno != 0 {
		return newError(op, object, errno)
	}
	return nil
}
