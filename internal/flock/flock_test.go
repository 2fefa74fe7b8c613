package flock_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"jailshim/internal/flock"
)

func open(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func TestLock_ExcludesOthers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	mine, other := open(t, path), open(t, path)
	if err := flock.Lock(mine, unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	err := flock.Lock(other, unix.LOCK_EX|unix.LOCK_NB)
	var named *os.PathError
	if !errors.Is(err, unix.EWOULDBLOCK) || !errors.As(err, &named) || named.Path != path {
		t.Fatalf("got %v, want EWOULDBLOCK of %s", err, path)
	}
	got := make(chan error, 1)
	go func() { got <- flock.Lock(other, unix.LOCK_EX) }()
	select {
	case err := <-got:
		t.Fatalf("locked by two: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	if err := flock.Close(mine); err != nil {
		t.Fatal(err)
	}
	if err := <-got; err != nil {
		t.Fatal(err)
	}
}

// A child has a copy of each descriptor until it executes its program.
func TestClose_UnlocksWhatACopyHolds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	mine, other := open(t, path), open(t, path)
	if err := flock.Lock(mine, unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	copied, err := unix.FcntlInt(mine.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(copied)
	if err := flock.Close(mine); err != nil {
		t.Fatal(err)
	}
	if err := flock.Lock(other, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		t.Errorf("still locked: %v", err)
	}
}

func TestLock_ClosedFile(t *testing.T) {
	f := open(t, filepath.Join(t.TempDir(), "lock"))
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := flock.Lock(f, unix.LOCK_EX); !errors.Is(err, unix.EBADF) {
		t.Errorf("got %v, want EBADF", err)
	}
}
