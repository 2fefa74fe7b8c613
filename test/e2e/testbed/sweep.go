package testbed

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// lockOwner marks a daemon's folder as belonging to a living test process: the
// lock goes when the process does, however it ends.
func lockOwner(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "owner"), os.O_CREATE|os.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", f.Name(), err), f.Close())
	}
	return f, nil
}

// sweep removes the daemons whose test process was killed before it could: their
// processes, mounts and files.
func sweep() {
	dirs, err := filepath.Glob(filepath.Join(os.TempDir(), prefix+"*"))
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
			err = errors.Join(remove(dir), lock.Close())
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "testbed: sweep:", err)
		}
	}
}

// remove takes away a daemon by its folder alone: every process that knows it,
// every container, mount and file.
func remove(dir string) error {
	namespaces := prefix + strings.TrimPrefix(filepath.Base(dir), prefix) + "-"
	err := poll(Patience, func() error {
		pids, err := processesWith(dir)
		if err != nil {
			return err
		}
		contained, err := contained(namespaces)
		if err != nil {
			return err
		}
		for _, c := range contained {
			for _, pid := range c.pids {
				pids[pid] = c.name
			}
		}
		for pid := range pids {
			if err := unix.Kill(pid, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
				return err
			}
		}
		if len(pids) > 0 {
			return fmt.Errorf("processes %v are still there", pids)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := removeContained(namespaces); err != nil {
		return err
	}
	mounts, err := mountsUnder(dir)
	if err != nil {
		return err
	}
	for _, m := range slices.Backward(mounts) {
		if err := unix.Unmount(m, unmountFlags); err != nil {
			return fmt.Errorf("unmount %s: %w", m, err)
		}
	}
	d := Daemon{Address: filepath.Join(dir, "c.sock")}
	return errors.Join(os.RemoveAll(d.StateDir()), os.RemoveAll(dir))
}
