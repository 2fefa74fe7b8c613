package shim

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// lockFolder locks a folder against other lockers, until unlock is called. Nothing is
// started meanwhile: see lockFile.
func lockFolder(dir string) (unlock func(), err error) {
	return lock(dir, unix.O_RDONLY|unix.O_DIRECTORY, unix.LOCK_EX)
}

// lock opens a file, or a folder, and locks it against other lockers, for as long as
// this process lives or until unlock is called. how is as for flock(2): with LOCK_NB, a
// lock that another one holds is an error wrapping EWOULDBLOCK.
func lock(path string, flags, how int) (unlock func(), err error) {
	fd, err := unix.Open(path, flags|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	for {
		if err = unix.Flock(fd, how); !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, &os.PathError{Op: "flock", Path: path, Err: err}
	}
	return func() {
		// A child that is just being started has a copy of the descriptor:
		// closing ours alone would leave the lock with it.
		_ = unix.Flock(fd, unix.LOCK_UN)
		_ = unix.Close(fd)
	}, nil
}
