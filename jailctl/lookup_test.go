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

// Between the questions whether a name is a link, and for the folder of that name, it
// may have become one.
func TestOpenFolder_IsALink_DoesNotLeadOut(t *testing.T) {
	root, outside := rootAndOutside(t)
	dir, err := os.OpenRoot(filepath.Join(root, "vol"))
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	for _, to := range []string{outside, "../../outside", ".."} {
		if err := os.Symlink(to, filepath.Join(root, "vol/link")); err != nil {
			t.Fatal(err)
		}
		if got, err := openFolder(dir, "link"); err == nil {
			t.Errorf("a link to %s was followed to %s", to, got.Name())
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
