package shim

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"jailshim/internal/flock"
)

// lockFolder locks a folder against other lockers, until unlock is called. Nothing is
// started meanwhile: see lockFile.
func lockFolder(dir string) (unlock func(), err error) {
	return lock(dir, unix.O_RDONLY|unix.O_DIRECTORY, unix.LOCK_EX)
}

// lock opens a file, or a folder, and locks it against other lockers, for as long as
// this process lives or until unlock is called. how is as for flock.Lock.
func lock(path string, flags, how int) (unlock func(), err error) {
	f, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		return nil, err
	}
	if err := flock.Lock(f, how); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() { _ = flock.Close(f) }, nil
}
