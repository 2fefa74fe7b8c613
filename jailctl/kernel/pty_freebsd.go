package kernel

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// OpenPTY makes a pseudo terminal and returns its master, which the caller closes,
// and the path of its slave on the host. The master is close-on-exec, and driven by
// Go's poller, so that a Close ends a Read. It reads EOF when the slave was closed
// last, and blocks while the slave has not been opened yet.
//
// A terminal made inside a jail keeps the jail dying, until its devfs is looked at
// or unmounted; one that is made outside does not.
func OpenPTY() (master *os.File, slavePath string, err error) {
	fd, err := posixOpenpt(unix.O_RDWR | unix.O_NOCTTY | unix.O_CLOEXEC)
	if err != nil {
		return nil, "", err
	}
	number := make([]byte, 4)
	if err = ioctl("ioctl TIOCGPTN", "", fd, tiocGPTN, number); err == nil {
		slavePath, err = decodePTYSlave(number)
	}
	if err == nil {
		// posix_openpt takes no O_NONBLOCK.
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		return nil, "", errors.Join(err, unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), "master of "+slavePath), slavePath, nil
}

// SetWinsize sets the size of a terminal, by its master or its slave; the processes
// in its foreground get SIGWINCH.
func SetWinsize(f *os.File, rows, cols uint16) error {
	if f == nil {
		return newError("ioctl TIOCSWINSZ", "", syscall.EBADF)
	}
	return withFD(f, func(fd int) error {
		return ioctl("ioctl TIOCSWINSZ", fmt.Sprintf("%q", f.Name()), fd, tiocSWINSZ, encodeWinsize(rows, cols))
	})
}
