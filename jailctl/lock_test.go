package jailctl

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/containerd/errdefs"
)

// Who can't wait gets the lock as soon as it is free, and else an error; who holds it
// is not known here.
func TestSeize_FreeOrHeldByAStranger_LockOrError(t *testing.T) {
	rt := New(Config{Root: filepath.Join(t.TempDir(), "root")})
	held, err := rt.Seize(t.Context(), "web")
	if err != nil {
		t.Fatal(err)
	}
	pushes := []push{{0, 20 * time.Millisecond}, {syscall.SIGTERM, 20 * time.Millisecond}, {syscall.SIGKILL, 20 * time.Millisecond}}
	if _, err := rt.seize(t.Context(), "web", pushes); !errdefs.IsUnavailable(err) {
		t.Errorf("held: got error %v, want one wrapping ErrUnavailable", err)
	}
	time.AfterFunc(50*time.Millisecond, func() {
		if err := held.Unlock(); err != nil {
			t.Error(err)
		}
	})
	l, err := rt.Seize(t.Context(), "web")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Unlock(); err != nil {
		t.Error(err)
	}
}

// Two commands on one container at once would undo each other's work.
func TestLock_HeldByAnother_WaitsAndTakesTheFileThatIsThere(t *testing.T) {
	rt := New(Config{Root: filepath.Join(t.TempDir(), "root")})
	first, err := rt.Lock("web")
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan *Lock)
	go func() {
		l, err := rt.Lock("web")
		if err != nil {
			t.Error(err)
		}
		got <- l
	}()
	select {
	case <-got:
		t.Fatal("two hold the lock")
	case <-time.After(20 * time.Millisecond):
	}
	if other, err := rt.Lock("db"); err != nil {
		t.Errorf("another container: %v", err)
	} else if err := other.Unlock(); err != nil {
		t.Error(err)
	}
	// There is no container, so the file goes, while the other waits for it.
	if err := first.Unlock(); err != nil {
		t.Fatal(err)
	}
	second := <-got
	if !isAt(second.file, second.file.Name()) {
		t.Error("the second holds a file that is not there any more: a third would not wait for it")
	}
	if err := second.Unlock(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(string(rt.store)); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// The file of a container that is there must stay: a new one would lock nobody out.
func TestLock_ContainerThere_FileStays(t *testing.T) {
	rt := New(Config{Root: t.TempDir()})
	l, err := rt.Lock("web")
	if err != nil {
		t.Fatal(err)
	}
	if err := rt.store.reserve("web"); err != nil {
		t.Fatal(err)
	}
	if err := l.Unlock(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(l.file.Name()); err != nil {
		t.Error(err)
	}
	if names, err := rt.store.names(); err != nil || len(names) != 1 {
		t.Errorf("containers %v, %v; want one", names, err)
	}
	// gc takes only those of containers that are gone, and that nobody holds.
	held, err := rt.Lock("held")
	if err != nil {
		t.Fatal(err)
	}
	stray := filepath.Join(string(rt.store), ".stray.lock")
	if err := os.WriteFile(stray, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := rt.removeLocks(); err != nil {
		t.Fatal(err)
	}
	for path, there := range map[string]bool{l.file.Name(): true, held.file.Name(): true, stray: false} {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) == there {
			t.Errorf("%s: %v, want it there: %v", path, err, there)
		}
	}
	if err := held.Unlock(); err != nil {
		t.Fatal(err)
	}
}

// A folder without a state may be one that a command is just going to use.
func TestGC_FolderWithoutState_RemovedUnlessLocked(t *testing.T) {
	rt := New(Config{Root: filepath.Join(t.TempDir(), "root")})
	l, err := rt.Lock("web")
	if err != nil {
		t.Fatal(err)
	}
	folder := rt.store.folder(rt.name("web"))
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(folder, old, old); err != nil {
		t.Fatal(err)
	}
	gc := func() []string {
		t.Helper()
		gone, err := rt.GC(false, func(*Container) error { return errors.New("no container is to be removed") })
		if err != nil {
			t.Fatal(err)
		}
		return gone
	}
	if gone := gc(); len(gone) > 0 {
		t.Errorf("removed while it was locked: %q", gone)
	}
	if err := l.Unlock(); err != nil {
		t.Fatal(err)
	}
	if gone := gc(); len(gone) != 1 {
		t.Errorf("got %q, want the folder", gone)
	}
	if _, err := os.Stat(folder); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder is there: %v", err)
	}
}

// A root has one name, however it is spelled.
func TestNew_RootThroughALink_IsTheSame(t *testing.T) {
	dir := t.TempDir()
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "real"), 0o700), os.Symlink("real", filepath.Join(dir, "link"))); err != nil {
		t.Fatal(err)
	}
	a, b := New(Config{Root: filepath.Join(dir, "real", "r")}), New(Config{Root: filepath.Join(dir, "link", "r")})
	if a.store.goSocket("web") != b.store.goSocket("web") {
		t.Error("start would look for the socket of another init")
	}
}
