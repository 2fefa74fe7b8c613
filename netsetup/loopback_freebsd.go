package netsetup

import (
	"errors"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Loopback brings lo0 up in the calling process's network stack, with 127.0.0.1/8
// and ::1/128. It may be repeated. A kernel without IPv4 or without IPv6 is no error,
// as long as it has one of them.
//
// Needs root; in a jail, one with its own network stack.
func Loopback() error {
	has4, err := withSocket(unix.AF_INET, func(fd int) error {
		if err := ioctl("SIOCAIFADDR", fd, siocAIFAddr, encodeInAlias(loopback, loopback4)); err != nil {
			return err
		}
		return setUp(fd)
	})
	if err != nil {
		return err
	}
	has6, err := withSocket(unix.AF_INET6, func(fd int) error {
		// Up first: the kernel gives lo0 its IPv6 addresses then, and the other
		// call sets again what is there.
		if err := setUp(fd); err != nil {
			return err
		}
		return ioctl("SIOCAIFADDR_IN6", fd, siocAIFAddrIn6, encodeIn6Alias(loopback, loopback6))
	})
	if err != nil {
		return err
	}
	if !has4 && !has6 {
		return &Error{Op: "socket", Object: loopback, Errno: syscall.EAFNOSUPPORT, Detail: "neither IPv4 nor IPv6"}
	}
	return nil
}

// withSocket calls call with a datagram socket of a family. It returns false if the
// kernel, or the jail, has no such family.
func withSocket(family int, call func(fd int) error) (bool, error) {
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if errno := syscall.Errno(0); errors.As(err, &errno) {
		if errno == syscall.EPROTONOSUPPORT || errno == syscall.EAFNOSUPPORT {
			return false, nil
		}
		return false, &Error{Op: "socket", Object: loopback, Errno: errno}
	}
	defer unix.Close(fd)
	return true, call(fd)
}

// setUp sets IFF_UP and keeps the other flags.
func setUp(fd int) error {
	b := encodeIfreq(loopback)
	if err := ioctl("SIOCGIFFLAGS", fd, siocGIFFlags, b); err != nil {
		return err
	}
	setIfreqFlags(b, ifreqFlags(b)|iffUp)
	return ioctl("SIOCSIFFLAGS", fd, siocSIFFlags, b)
}

// ioctl makes an ioctl(2) about the loopback interface.
func ioctl(op string, fd int, request uint32, arg []byte) error {
	errno := syscall.EINTR
	for errno == syscall.EINTR {
		_, _, errno = unix.Syscall6(unix.SYS_IOCTL, uintptr(fd), uintptr(request), uintptr(unsafe.Pointer(&arg[0])), 0, 0, 0)
	}
	runtime.KeepAlive(arg)
	if errno != 0 {
		return &Error{Op: op, Object: loopback, Errno: errno}
	}
	return nil
}
