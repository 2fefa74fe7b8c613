package shim

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// lockFolder locks a folder against other lockers, for as long as this process
// lives or until unlock is called. how is as for flock(2): with LOCK_NB, a lock
// that another one holds is an error wrapping EWOULDBLOCK.
func lockFolder(dir string, how int) (unlock func(), err error) {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: dir, Err: err}
	}
	for {
		if err = unix.Flock(fd, how); !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, &os.PathError{Op: "flock", Path: dir, Err: err}
	}
	return func() {
		// A child that is just being started has a copy of the descriptor:
		// closing ours alone would leave the lock with it.
		_ = unix.Flock(fd, unix.LOCK_UN)
		_ = unix.Close(fd)
	}, nil
}
