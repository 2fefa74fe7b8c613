package ioctl

import (
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

type kernelTransport struct {
	fd int
}

func openTransport() (transport, error) {
	fd, err := unix.Open(device, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return kernelTransport{fd}, nil
}

func (kernelTransport) layout() *layout { return &layoutLinux }

func (t kernelTransport) close() error { return unix.Close(t.fd) }

func (t kernelTransport) call(number uint8, c *command) syscall.Errno {
	var pins runtime.Pinner
	defer pins.Unpin()
	c.setAddresses(address(&pins, c.src), address(&pins, c.dst))

	defer blockSignals()()
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(t.fd), linuxRequest|uintptr(number), uintptr(unsafe.Pointer(&c.buf[0])))
	runtime.KeepAlive(c)
	return errno
}

// blockSignals keeps the thread, and signals from it, until the returned function is
// called.
func blockSignals() (restore func()) {
	runtime.LockOSThread()
	all, old := unix.Sigset_t{}, unix.Sigset_t{}
	for i := range all.Val {
		all.Val[i]--
	}
	err := unix.PthreadSigmask(unix.SIG_BLOCK, &all, &old)
	return func() {
		if err == nil {
			err = unix.PthreadSigmask(unix.SIG_SETMASK, &old, nil)
		}
		if err != nil {
			// Only bad addresses or a wrong number do this.
			panic("rt_sigprocmask: " + err.Error())
		}
		runtime.UnlockOSThread()
	}
}
