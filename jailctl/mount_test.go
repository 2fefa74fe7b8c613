package jailctl

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/containerd/errdefs"

	"jailshim/jailctl/plan"
)

// An image decides what its links say; where a mount lands, it does not.
func TestTarget_HostileLayouts_StayInside(t *testing.T) {
	for _, tt := range []struct {
		name   string
		layout func(t *testing.T, root string)
		target string
		want   string // below the root
	}{
		{"absolute link to the root", symlink("/", "etc"), "/etc/resolv.conf", "resolv.conf"},
		{"relative link upwards", symlink("../..", "etc"), "/etc/hosts", "hosts"},
		{"link to a folder of the host", symlink("/etc", "data"), "/data/passwd.d", "etc/passwd.d"},
		{"link in the middle", symlink("../../../tmp", "a/b"), "/a/b/c", "tmp/c"},
		{"link to a link upwards", func(t *testing.T, root string) {
			t.Helper()
			symlink("/../..", "one")(t, root)
			symlink("one", "two")(t, root)
		}, "/two/x", "x"},
		{"dev is a link to the root", symlink("/", "dev"), "/dev", "."},
		{"proc is a link upwards", symlink("../../..", "proc"), "/proc", "."},
		{"dots in the target", func(*testing.T, string) {}, "/../../x", "x"},
		{"link to a missing folder", symlink("/no/such/folder", "var"), "/var/log", "no/such/folder/log"},
		{"link to itself by way of the parent", symlink("../root/x", "y"), "/y", "root/x"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root := filepath.Join(t.TempDir(), "root")
			if err := os.MkdirAll(root, 0o755); err != nil {
				t.Fatal(err)
			}
			tt.layout(t, root)
			before := listOutside(t, root)
			got, err := target(&plan.Mount{Type: "tmpfs", Target: tt.target}, root)
			if err != nil {
				t.Fatal(err)
			}
			defer got.Close()
			if want := filepath.Join(root, tt.want); got.path != want {
				t.Errorf("target %s: got %s, want %s", tt.target, got.path, want)
			}
			if fi, err := os.Lstat(got.path); err != nil || !fi.IsDir() {
				t.Errorf("target %s: no folder was made: %v", got.path, err)
			}
			if after := listOutside(t, root); after != before {
				t.Errorf("outside of the root: was %q, is %q", before, after)
			}
		})
	}
}

// symlink makes the symbolic link name → to in a root.
func symlink(to, name string) func(*testing.T, string) {
	return func(t *testing.T, root string) {
		t.Helper()
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(to, path); err != nil {
			t.Fatal(err)
		}
	}
}

func listOutside(t *testing.T, root string) string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(root))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

// The kernel mounts a file only upon a file that has no other name, and an
// image's layers are full of hard links.
func TestTarget_FileWithSeveralNames_GetsItsOwn(t *testing.T) {
	root := t.TempDir()
	a, b := filepath.Join(root, "a"), filepath.Join(root, "b")
	if err := os.WriteFile(a, []byte("text"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(a, b); err != nil {
		t.Fatal(err)
	}
	uid, gid := os.Getuid(), os.Getgid()
	if uid == 0 {
		uid, gid = 1234, 1235
	}
	// What one that was killed has left.
	left := filepath.Join(root, ".jailshim-b")
	if err := errors.Join(os.Chown(a, uid, gid), os.WriteFile(left, []byte("half"), 0o600)); err != nil {
		t.Fatal(err)
	}
	source := filepath.Join(t.TempDir(), "source")
	if err := os.WriteFile(source, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := target(&plan.Mount{Type: "nullfs", Source: source, Target: "/b"}, root)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Close()
	fi, err := os.Lstat(got.path)
	if err != nil {
		t.Fatal(err)
	}
	if links(fi) != 1 || fi.Mode() != 0o640 {
		t.Errorf("%s: %d names, mode %v; want 1, -rw-r-----", got.path, links(fi), fi.Mode())
	}
	if u, g := owner(fi); u != uid || g != gid {
		t.Errorf("%s: owner %d:%d, want %d:%d", got.path, u, g, uid, gid)
	}
	if _, err := os.Lstat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is still there: %v", left, err)
	}
	for _, path := range []string{a, b} {
		if text, err := os.ReadFile(path); err != nil || string(text) != "text" {
			t.Errorf("%s: got %q, %v", path, text, err)
		}
	}
}

// An image may have a file of any size, which takes no room in its layer.
func TestTarget_LargeFileWithSeveralNames_IsNotReadWhole(t *testing.T) {
	root := t.TempDir()
	a := filepath.Join(root, "a")
	const size = 64 << 20
	if err := errors.Join(os.WriteFile(a, nil, 0o600), os.Truncate(a, size), os.Link(a, filepath.Join(root, "b"))); err != nil {
		t.Fatal(err)
	}
	at, err := find(root, "/b", orFile)
	if err != nil {
		t.Fatal(err)
	}
	defer at.Close()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := at.placeholder(); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > size/4 {
		t.Errorf("%d bytes of memory for a file of %d", used, size)
	}
	if fi, err := os.Stat(at.path); err != nil || fi.Size() != size || links(fi) != 1 {
		t.Errorf("got %v, %v", fi, err)
	}
}

func TestTarget_WrongKind_Refused(t *testing.T) {
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, m := range map[string]plan.Mount{
		"a file upon a folder":     {Type: "nullfs", Source: file, Target: "/folder"},
		"a device as the source":   {Type: "nullfs", Source: os.DevNull, Target: "/null"},
		"a source that is missing": {Type: "nullfs", Source: file + ".missing", Target: "/x"},
	} {
		if _, err := target(&m, root); !errors.Is(err, errdefs.ErrInvalidArgument) {
			t.Errorf("%s: got error %v, want one wrapping ErrInvalidArgument", name, err)
		}
	}
}

func TestWithin_TakesWholeComponents(t *testing.T) {
	for _, tt := range []struct {
		path, folder string
		want         bool
	}{
		{"/a/b", "/a/b", true},
		{"/a/b/c", "/a/b", true},
		{"/a/bc", "/a/b", false},
		{"/a", "/a/b", false},
		{"/x", "/", true},
	} {
		if got := within(tt.path, tt.folder); got != tt.want {
			t.Errorf("within(%q, %q): got %v", tt.path, tt.folder, got)
		}
	}
}
