package link

import (
	"errors"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// openSocket opens a socket for calls of a family.
func openSocket(family int) (int, error) {
	kind := unix.SOCK_DGRAM
	if family == afRoute {
		kind = unix.SOCK_RAW
	}
	return unix.Socket(family, kind|unix.SOCK_CLOEXEC, 0)
}

func closeSocket(fd int) { unix.Close(fd) }

// writeMessage writes a message to a routing socket. Its echo is not read: the errno
// says all (route_output, sys/net/rtsock.c).
func writeMessage(fd int, b []byte) error {
	for {
		_, err := unix.Write(fd, b)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// ioctl makes the ioctl(2) of a call, and leaves no address in its Data.
func ioctl(fd int, c *Call) error {
	if len(c.Indirect) > 0 {
		var pin runtime.Pinner
		pin.Pin(&c.Indirect[0])
		defer pin.Unpin()
		at := c.Data[c.Offset:]
		le.PutUint64(at, uint64(uintptr(unsafe.Pointer(&c.Indirect[0]))))
		defer le.PutUint64(at, 0)
	}
	errno := syscall.EINTR
	for errno == syscall.EINTR {
		_, _, errno = unix.Syscall6(unix.SYS_IOCTL, uintptr(fd), uintptr(c.Request), uintptr(unsafe.Pointer(&c.Data[0])), 0, 0, 0)
	}
	runtime.KeepAlive(c)
	if errno != 0 {
		return errno
	}
	return nil
}
