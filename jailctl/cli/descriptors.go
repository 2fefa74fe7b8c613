package cli

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// firstFD is the first descriptor after the three streams.
const firstFD = 3

// listenFDs returns how many sockets the caller hands over by LISTEN_FDS, which
// is meant for the process of LISTEN_PID alone.
func listenFDs() int {
	if os.Getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) {
		return 0
	}
	n, err := strconv.Atoi(os.Getenv("LISTEN_FDS"))
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// inherited returns the descriptors to pass on: the sockets, and keep more.
func inherited(listen, keep int) ([]*os.File, error) {
	if keep < 0 {
		return nil, fmt.Errorf("--preserve-fds %d: it is a number of descriptors", keep)
	}
	var files []*os.File
	for fd := firstFD; fd < firstFD+listen+keep; fd++ {
		// Descriptors that this program opened itself are close-on-exec, and
		// inherited ones are not, or they would not be here.
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err == nil && flags&unix.FD_CLOEXEC != 0 {
			err = unix.EBADF
		}
		if err != nil {
			return nil, fmt.Errorf("descriptor %d, of %d from LISTEN_FDS and %d from --preserve-fds: %w", fd, listen, keep, err)
		}
		files = append(files, os.NewFile(uintptr(fd), fmt.Sprint("descriptor ", fd)))
	}
	return files, nil
}
