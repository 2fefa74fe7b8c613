package jailctl

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestCopier_EverythingButWhatSomebodyServes(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	when := time.Unix(1e9, 0)
	uid, gid := os.Getuid(), os.Getgid()
	if uid == 0 {
		uid, gid = 1234, 1235
	}
	path := func(name string) string { return filepath.Join(from, name) }
	if err := errors.Join(
		os.MkdirAll(path("deep/er"), 0o755),
		os.WriteFile(path("deep/er/file"), []byte("text"), 0o600),
		os.Link(path("deep/er/file"), path("second")),
		os.Symlink("/no/where", path("deep/link")),
		os.Lchown(path("deep/link"), uid, gid),
		unix.Mkfifo(path("fifo"), 0o600),
		os.Chown(path("second"), uid, gid),
		os.Chmod(path("second"), 0o751|fs.ModeSetuid),
		os.Chtimes(path("second"), when, when),
		os.Chmod(path("deep"), 0o777|fs.ModeSticky),
		os.Chtimes(path("deep"), when, when),
		os.Chmod(from, 0o711),
	); err != nil {
		t.Fatal(err)
	}
	copyFolder(t, from, to)
	for name, mode := range map[string]fs.FileMode{
		".": fs.ModeDir | 0o711, "deep": fs.ModeDir | fs.ModeSticky | 0o777, "deep/er": fs.ModeDir | 0o755,
		"deep/er/file": fs.ModeSetuid | 0o751, "deep/link": fs.ModeSymlink,
	} {
		was, err := os.Lstat(path(name))
		if err != nil {
			t.Fatal(err)
		}
		is, err := os.Lstat(filepath.Join(to, name))
		if err != nil {
			t.Error(err)
			continue
		}
		u, g := owner(was)
		if gu, gg := owner(is); is.Mode()&^0o777 != mode&^0o777 || mode&fs.ModeSymlink == 0 && (is.Mode() != mode || !is.ModTime().Equal(was.ModTime())) || gu != u || gg != g {
			t.Errorf("%s: %v of %v, owner %d:%d; want %v of %v, owner %d:%d", name, is.Mode(), is.ModTime(), gu, gg, mode, was.ModTime(), u, g)
		}
	}
	if link, err := os.Readlink(filepath.Join(to, "deep/link")); err != nil || link != "/no/where" {
		t.Errorf("the link leads to %q, %v", link, err)
	}
	text, err := os.ReadFile(filepath.Join(to, "second"))
	fi, serr := os.Stat(filepath.Join(to, "second"))
	if err := errors.Join(err, serr); err != nil || string(text) != "text" || links(fi) != 2 {
		t.Errorf("the second name: %q, %v, %v", text, fi, err)
	}
	if _, err := os.Lstat(filepath.Join(to, "fifo")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a fifo was copied: %v", err)
	}
}

func copyFolder(t *testing.T, from, to string) {
	t.Helper()
	list, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer list.Close()
	d := mustOpen(t, to)
	c := copier{to: d, names: make(map[fileID]string)}
	if err := c.folder(list, d, "."); err != nil {
		t.Fatal(err)
	}
}

// links returns how many names a file has.
func links(fi fs.FileInfo) uint64 {
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return 1
	}
	return uint64(st.Nlink) //nolint:unconvert // of another size on other systems
}

// owner returns the user and the group that a file has; -1 is not known.
func owner(fi fs.FileInfo) (uid, gid int) {
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return -1, -1
	}
	return int(st.Uid), int(st.Gid)
}
