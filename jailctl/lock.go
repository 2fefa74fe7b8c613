package jailctl

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Lock is held by the process that changes a container. It ends with the process
// at the latest.
//
// The shim needs none, being the only one that changes its containers; the OCI
// command is another process each time.
type Lock struct {
	file   *os.File
	folder string // of the container
}

// Lock waits until no other process changes the container. That there is no such
// container is no error: it may be about to be made.
//
// The file lies beside the container's folder, which comes and goes while the
// lock is held.
func (r *Runtime) Lock(id string) (*Lock, error) {
	if err := os.MkdirAll(string(r.store), 0o711); err != nil {
		return nil, err
	}
	return r.store.lock(r.name(id), unix.LOCK_EX)
}

func (s store) lock(name string, how int) (*Lock, error) {
	path := filepath.Join(string(s), lockPrefix+name+lockSuffix)
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
		err = flock(f, how)
		if err == nil && isAt(f, path) {
			return &Lock{f, s.folder(name)}, nil
		}
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		// Whoever held it has removed the container, and the file with it.
	}
}

const (
	lockPrefix = "."
	lockSuffix = ".lock"
)

func flock(f *os.File, how int) error {
	for {
		err := unix.Flock(int(f.Fd()), how)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// isAt reports whether path still leads to the open file.
func isAt(f *os.File, path string) bool {
	open, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(path)
	return err == nil && os.SameFile(open, there)
}

// Unlock lets others change the container. The file goes away if the container
// has.
func (l *Lock) Unlock() error {
	defer l.file.Close()
	if _, err := os.Lstat(l.folder); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Remove(l.file.Name())
}

// removeLocks removes the files of locks that nobody holds, and whose containers
// are gone: who held them was killed.
func (r *Runtime) removeLocks() error {
	entries, err := os.ReadDir(string(r.store))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	errs := []error{err}
	for _, e := range entries {
		rest, hidden := strings.CutPrefix(e.Name(), lockPrefix)
		name, ok := strings.CutSuffix(rest, lockSuffix)
		if !hidden || !ok || e.IsDir() {
			continue
		}
		l, err := r.store.lock(name, unix.LOCK_EX|unix.LOCK_NB)
		if errors.Is(err, unix.EWOULDBLOCK) {
			continue
		}
		if err == nil {
			err = l.Unlock()
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
