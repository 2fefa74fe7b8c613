package ioctl

import (
	"fmt"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"jailshim/snapshotter-zfs/engine"
)

// How to change the blocked signals of a thread.
const (
	sigBlock   = 1 // SIG_BLOCK, sys/sys/signal.h:468
	sigSetmask = 3 // SIG_SETMASK, sys/sys/signal.h:470
)

// sigset is sigset_t, sys/sys/_sigset.h:51.
type sigset [4]uint32

type kernelTransport struct {
	fd int
}

func openTransport() (transport, error) {
	fd, err := unix.Open(device, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	version, err := unix.SysctlUint32("vfs.zfs.version.ioctl")
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("sysctl vfs.zfs.version.ioctl: %w", err)
	}
	if version != freebsdVersion {
		unix.Close(fd)
		return nil, fmt.Errorf("vfs.zfs.version.ioctl is %d, want %d: a ZFS from before FreeBSD 13: %w", version, freebsdVersion, engine.ErrUnsupported)
	}
	return kernelTransport{fd}, nil
}

func (kernelTransport) layout() *layout { return &layoutFreeBSD }

func (t kernelTransport) close() error { return unix.Close(t.fd) }

func (t kernelTransport) call(number uint8, c *command) syscall.Errno {
	var pins runtime.Pinner
	defer pins.Unpin()
	c.setAddresses(address(&pins, c.src), address(&pins, c.dst))
	parm := iocparm(c.layout, address(&pins, c.buf))

	defer blockSignals()()
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(t.fd), freebsdRequest|uintptr(number), uintptr(unsafe.Pointer(&parm[0])))
	runtime.KeepAlive(parm)
	return errno
}

// blockSignals keeps the thread, and signals from it, until the returned function is
// called.
func blockSignals() (restore func()) {
	runtime.LockOSThread()
	all, old := sigset{^uint32(0), ^uint32(0), ^uint32(0), ^uint32(0)}, sigset{}
	_, _, errno := unix.RawSyscall(unix.SYS_SIGPROCMASK, sigBlock, uintptr(unsafe.Pointer(&all)), uintptr(unsafe.Pointer(&old)))
	return func() {
		if errno == 0 {
			_, _, errno = unix.RawSyscall(unix.SYS_SIGPROCMASK, sigSetmask, uintptr(unsafe.Pointer(&old)), 0)
		}
		if errno != 0 {
			// Only bad addresses or a wrong number do this.
			panic("sigprocmask: " + errno.Error())
		}
		runtime.UnlockOSThread()
	}
}
