package jailctl

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"

	"jailshim/internal/flock"
	"jailshim/internal/lazyjson"
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
	l, err := r.store.lock(r.name(id), unix.LOCK_EX)
	if err == nil {
		r.sign(l)
	}
	return l, err
}

// sign writes into the lock's file who holds it. That it can't only makes Seize give
// up where it could do something.
func (r *Runtime) sign(l *Lock) {
	self, _, err := r.machine.whoAmI()
	if err != nil {
		return
	}
	if b, err := lazyjson.Marshal(self); err == nil {
		_ = l.file.Truncate(0) // one that was killed has left a longer one, perhaps
		_, _ = l.file.WriteAt(b, 0)
	}
}

// holder returns the process that holds a lock, and whether it is known.
func (s store) holder(name string) (ProcessID, bool) {
	var id ProcessID
	b, err := os.ReadFile(s.lockFile(name))
	if err != nil || lazyjson.Unmarshal(b, &id) != nil {
		return id, false
	}
	return id, id.Pid != os.Getpid() && alive(id)
}

const (
	// holderGrace is how long who holds a lock may go on: most commands take less.
	holderGrace = 2 * time.Second
	// holderEnd is how long it may take to end, and to undo what it has done.
	holderEnd = 10 * time.Second
)

// push is a step of Seize: a signal for who holds the lock, and how long to wait then.
type push struct {
	sig  syscall.Signal // 0: none
	wait time.Duration
}

// Seize is Lock for who can't wait for a hook that never ends: a process that goes on
// holding the lock is asked to end (SIGTERM), and killed in the end. If that does not
// help, or nobody knows which process it is, that is an error wrapping
// errdefs.ErrUnavailable.
func (r *Runtime) Seize(ctx context.Context, id string) (*Lock, error) {
	return r.seize(ctx, id, []push{{0, holderGrace}, {syscall.SIGTERM, holderEnd}, {syscall.SIGKILL, holderGrace}})
}

func (r *Runtime) seize(ctx context.Context, id string, pushes []push) (*Lock, error) {
	if err := os.MkdirAll(string(r.store), 0o711); err != nil {
		return nil, err
	}
	name := r.name(id)
	var asked ProcessID
	for _, p := range pushes {
		h, known := r.store.holder(name)
		// Nobody is killed who was not asked before.
		if known && p.sig != 0 && (p.sig != syscall.SIGKILL || h == asked) {
			asked = h
			if err := syscall.Kill(h.Pid, p.sig); err != nil && !errors.Is(err, syscall.ESRCH) {
				return nil, fmt.Errorf("end process %d, which changes container %q: %w", h.Pid, id, err)
			}
		}
		if l, err := r.awaitLock(ctx, name, p.wait); l != nil || err != nil {
			return l, err
		}
	}
	who := "a process that is not known"
	if h, known := r.store.holder(name); known {
		who = fmt.Sprint("process ", h.Pid)
	}
	return nil, fmt.Errorf("container %q is being changed by %s, which does not end: %w", id, who, errdefs.ErrUnavailable)
}

// awaitLock waits for a lock; after a while it returns nil.
func (r *Runtime) awaitLock(ctx context.Context, name string, wait time.Duration) (*Lock, error) {
	for end := until(ctx, wait); ; time.Sleep(longPause) {
		l, err := r.store.lock(name, unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			r.sign(l)
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return l, err
		}
		if time.Now().After(end) {
			return nil, nil
		}
	}
}

func (s store) lockFile(name string) string {
	return filepath.Join(string(s), lockPrefix+name+lockSuffix)
}

func (s store) lock(name string, how int) (*Lock, error) {
	path := s.lockFile(name)
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
		err = flock.Lock(f, how)
		if err == nil && isAt(f, path) {
			return &Lock{f, s.folder(name)}, nil
		}
		f.Close()
		if err != nil {
			return nil, err
		}
		// Whoever held it has removed the container, and the file with it.
	}
}

const (
	lockPrefix = "."
	lockSuffix = ".lock"
)

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
	_, err := os.Lstat(l.folder)
	if errors.Is(err, fs.ErrNotExist) {
		return errors.Join(os.Remove(l.file.Name()), flock.Close(l.file))
	}
	return errors.Join(err, l.file.Truncate(0), flock.Close(l.file))
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
