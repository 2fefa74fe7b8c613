// Package flock locks open files: see flock(2). A lock belongs to all descriptors that
// stem from one open(2), and ends with the last of them, so also with its process.
package flock

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// Lock locks a file, or a folder, that was opened without others knowing of it. how is
// unix.LOCK_EX or unix.LOCK_SH: Lock waits while another one has the lock. With
// unix.LOCK_NB besides it does not wait, and that is an error wrapping EWOULDBLOCK.
func Lock(f *os.File, how int) error {
	for {
		err := unix.Flock(int(f.Fd()), how)
		if err == nil {
			return nil
		}
		if !errors.Is(err, unix.EINTR) {
			return &os.PathError{Op: "flock", Path: f.Name(), Err: err}
		}
	}
}

// Close unlocks a file and closes it. A child that is just being started has a copy of
// the descriptor: closing ours alone would leave the lock with it for a moment.
func Close(f *os.File) error {
	return errors.Join(Lock(f, unix.LOCK_UN), f.Close())
}
