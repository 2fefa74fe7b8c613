package testbed

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"jailshim/internal/flock"
	"jailshim/test/daemon"
)

// lockOwner marks a daemon's folder as belonging to a living test process: the
// lock goes when the process does, however it ends.
func lockOwner(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "owner"), os.O_CREATE|os.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, err
	}
	if err := flock.Lock(f, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// sweep removes the daemons whose test process was killed before it could: their
// processes, mounts and files.
func sweep() {
	// The real path, as daemons have it.
	temp, err := filepath.EvalSymlinks(os.TempDir())
	if err != nil {
		temp = os.TempDir()
	}
	dirs, err := filepath.Glob(filepath.Join(temp, prefix+"*"))
	if err != nil {
		panic(err) // the pattern is ours
	}
	for _, dir := range dirs {
		lock, err := lockOwner(dir)
		if errors.Is(err, unix.EWOULDBLOCK) {
			continue // its tests are running
		}
		if err == nil {
			fmt.Fprintln(os.Stderr, "testbed: remove what an aborted run left in", dir)
			err = errors.Join(daemon.At(dir).Remove(), lock.Close())
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "testbed: sweep:", err)
		}
	}
}
