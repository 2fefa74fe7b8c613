package main

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// openPTY returns the two sides of a new pseudo terminal. On FreeBSD grantpt(3)
// and unlockpt(3) have nothing to do.
func openPTY() (master, slave *os.File, err error) {
	fd, _, errno := unix.Syscall(unix.SYS_POSIX_OPENPT, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0, 0)
	if errno != 0 {
		return nil, nil, os.NewSyscallError("posix_openpt", errno)
	}
	master = os.NewFile(fd, "pty")
	number, err := unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
	if err == nil {
		slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		return nil, nil, errors.Join(err, master.Close())
	}
	return master, slave, nil
}
