package jailctl

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// roots remembers where else than below DefaultRoot and shims' state there are
// containers with networks: gc must know them all. It is a folder of symbolic links,
// each of which is there with its contents, or not at all.
type roots string

const rootsFolder roots = "/var/run/jailshim/roots"

// path is the runtime's link; empty if it needs none.
func (f roots) path(r *Runtime) string {
	if r.config.Namespace != "" || r.config.Root == DefaultRoot {
		return ""
	}
	return filepath.Join(string(f), r.scope())
}

// remember writes down where the runtime keeps its containers. One of them has its
// folder by then.
func (f roots) remember(r *Runtime) error {
	path := f.path(r)
	if path == "" {
		return nil
	}
	if err := os.MkdirAll(string(f), 0o700); err != nil {
		return err
	}
	return f.locked(func() error {
		err := os.Symlink(realPath(r.config.Root), path)
		if errors.Is(err, fs.ErrExist) {
			return nil
		}
		return err
	})
}

// forget ends remember if the runtime has no container any more.
func (f roots) forget(r *Runtime) error {
	path := f.path(r)
	if path == "" {
		return nil
	}
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return f.locked(func() error {
		names, err := r.store.names()
		if err != nil || len(names) > 0 {
			return err
		}
		return gone(os.Remove(path))
	})
}

// list returns the roots. Those that are gone are forgotten.
func (f roots) list() (all []string, err error) {
	if _, err := os.Stat(string(f)); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	err = f.locked(func() error {
		entries, err := os.ReadDir(string(f))
		if err != nil {
			return err
		}
		for _, e := range entries {
			path := filepath.Join(string(f), e.Name())
			root, err := os.Readlink(path)
			if err != nil {
				return err
			}
			if _, err := os.Stat(root); !errors.Is(err, fs.ErrNotExist) {
				all = append(all, root)
				continue
			}
			if err := gone(os.Remove(path)); err != nil {
				return err
			}
		}
		return nil
	})
	return all, err
}

// locked calls do while no other process changes the folder.
func (f roots) locked(do func() error) error {
	d, err := os.Open(string(f))
	if err != nil {
		return err
	}
	defer d.Close()
	if err := flock(d, unix.LOCK_EX); err != nil {
		return &os.PathError{Op: "lock", Path: string(f), Err: err}
	}
	return do()
}

// gone is the error of a removal, unless there was nothing.
func gone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// OtherRoots returns the roots, other than DefaultRoot and those of shims, below which
// there may be containers with networks. Roots that are gone are forgotten.
func OtherRoots() ([]string, error) { return rootsFolder.list() }
