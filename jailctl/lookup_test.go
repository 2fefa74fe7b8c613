package jailctl

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A root with a volume in it, and a folder outside of it.
func rootAndOutside(t *testing.T) (root, outside string) {
	t.Helper()
	dir := t.TempDir()
	root, outside = filepath.Join(dir, "root"), filepath.Join(dir, "outside")
	for _, d := range []string{filepath.Join(root, "vol/x"), outside} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return root, outside
}

// exchange does what another container may do to a volume: the name leads elsewhere.
func exchange(t *testing.T, path, to string) {
	t.Helper()
	err := os.Rename(path, path+".moved")
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err := errors.Join(err, os.Symlink(to, path)); err != nil {
		t.Fatal(err)
	}
}

func wantEmpty(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) > 0 {
		t.Errorf("outside of the root are %v, %v", entries, err)
	}
}

func TestFind_FolderBecomesALinkOnTheWay_NothingIsMadeOutside(t *testing.T) {
	for name, h := range map[string]how{"folders": makeFolders, "a file": makeFolders | orFile} {
		t.Run(name, func(t *testing.T) {
			root, outside := rootAndOutside(t)
			w, err := newWay(root, "/vol/x/a/f")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { w.back(0) }()
			for range 2 {
				if err := w.step(h); err != nil {
					t.Fatal(err)
				}
			}
			exchange(t, filepath.Join(root, "vol/x"), outside)
			for len(w.rest) > 0 {
				if err := w.step(h); err != nil {
					t.Fatal(err)
				}
			}
			at := &spot{root: root, dir: w.here(), name: w.name}
			if at.name != "" {
				if err := at.placeholder(); err != nil {
					t.Error(err)
				}
			}
			wantEmpty(t, outside)
			if _, err := os.Lstat(filepath.Join(root, "vol/x.moved/a/f")); err != nil {
				t.Errorf("not made in the folder that was opened: %v", err)
			}
		})
	}
}

// A name may become a link at any time.
func TestFolder_IsALink_DoesNotLeadOut(t *testing.T) {
	root, outside := rootAndOutside(t)
	dir := mustOpen(t, filepath.Join(root, "vol"))
	for _, to := range []string{outside, "../../outside", ".."} {
		if err := os.Symlink(to, filepath.Join(root, "vol/link")); err != nil {
			t.Fatal(err)
		}
		if got, err := dir.folder("link"); err == nil {
			t.Errorf("a link to %s was followed", to)
			got.Close()
		}
		if got, err := dir.file("link", unix.O_RDONLY, 0); err == nil {
			t.Errorf("a link to %s was opened", to)
			got.Close()
		}
		if err := os.Remove(filepath.Join(root, "vol/link")); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPlaceholder_BecomesALink_NothingIsMadeOutside(t *testing.T) {
	root, outside := rootAndOutside(t)
	at, err := find(root, "/vol/x/f", makeFolders|orFile)
	if err != nil {
		t.Fatal(err)
	}
	defer at.Close()
	exchange(t, at.path, filepath.Join(outside, "f"))
	if err := at.placeholder(); err == nil {
		t.Error("no error")
	}
	wantEmpty(t, outside)
}

// A lookup holds each folder on its way open.
func TestFind_EndlessLinks_Refused(t *testing.T) {
	root, _ := rootAndOutside(t)
	symlink("loop", "loop")(t, root)
	symlink("deep/deep/d", "deep/d")(t, root)
	symlink(".", "deep/deep")(t, root)
	for path, want := range map[string]error{
		"/loop":     unix.ELOOP,
		"/deep/d":   unix.ELOOP,
		"/vol/x/no": unix.ENOENT,
	} {
		if at, err := find(root, path, 0); !errors.Is(err, want) {
			t.Errorf("%s: got %v, %v, want %v", path, at, err, want)
		}
	}
	long := strings.Repeat("/"+strings.Repeat("d", 200), maxPath/200+1)
	if _, err := find(root, long, makeFolders); !errors.Is(err, unix.ENAMETOOLONG) {
		t.Errorf("a long path: got %v, want ENAMETOOLONG", err)
	}
}

// Opening a fifo would wait for somebody who writes.
func TestFind_FifoOnTheWay_Refused(t *testing.T) {
	root, _ := rootAndOutside(t)
	if err := unix.Mkfifo(filepath.Join(root, "vol/fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/vol/fifo", "/vol/fifo/x"} {
		if _, err := find(root, path, makeFolders); !errors.Is(err, unix.ENOTDIR) {
			t.Errorf("%s: got %v, want ENOTDIR", path, err)
		}
	}
}

// Whoever makes hundreds of containers must not run out of descriptors.
func TestFind_EndsOrFails_NothingStaysOpen(t *testing.T) {
	root, outside := rootAndOutside(t)
	symlink("loop", "loop")(t, root)
	symlink("../../..", "vol/up")(t, root)
	if err := os.WriteFile(filepath.Join(root, "vol/f"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	before := freeDescriptor(t)
	for _, path := range []string{"/", "/vol/x", "/vol/up/vol/x/..", "/vol/f", "/vol/f/x", "/vol/new/er", "/loop", "/vol/x/no"} {
		for _, h := range []how{0, orFile, makeFolders, makeFolders | orFile} {
			if at, err := find(root, path, h); err == nil {
				at.Close()
			}
		}
	}
	if err := deviceThere(mustOpen(t, root), "vol/up/x"); err == nil {
		t.Error("a device was looked for behind a link")
	}
	if after := freeDescriptor(t); after != before+1 { // what mustOpen opened
		t.Errorf("the next descriptor is %d, was %d", after, before)
	}
	wantEmpty(t, outside)
}

func mustOpen(t *testing.T, path string) folder {
	t.Helper()
	d, err := openFolder(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// freeDescriptor returns the number that what is opened next gets.
func freeDescriptor(t *testing.T) int {
	t.Helper()
	fd, err := unix.Open("/", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err := errors.Join(err, unix.Close(fd)); err != nil {
		t.Fatal(err)
	}
	return fd
}
