package command

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"github.com/containerd/errdefs"

	"jailshim/snapshotter-zfs/engine"
)

const (
	fuse    = "zfs-fuse-0.7.0"
	openZFS = "openzfs-2.4.3"
)

// captured returns what a zfs(8) has printed.
func captured(tb testing.TB, dialect, file string) string {
	tb.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", dialect, file))
	if err != nil {
		tb.Fatal(err)
	}
	if len(b) == 0 {
		tb.Fatalf("%s is empty", file)
	}
	return string(b)
}

// asProgram makes a zfs(8) that prints what the real one has.
func asProgram(tb testing.TB, dialect string) *Engine {
	tb.Helper()
	dir, err := filepath.Abs(filepath.Join("testdata", dialect))
	if err != nil {
		tb.Fatal(err)
	}
	script := `#!/bin/sh
case "$*" in
*written,clones*) [ -e "` + dir + `/get-guid.txt" ] && exit 2; exit 0 ;;
*" all "*) exec cat "` + dir + `/get-all.txt" ;;
*guid,createtxg*) exec cat "` + dir + `/get-guid.txt" ;;
*" origin "*) exec cat "` + dir + `/get-origin.txt" ;;
*" type "*) exit 0 ;;
esac
echo "unexpected: $*" >&2
exit 1
`
	program := filepath.Join(tb.TempDir(), "zfs")
	if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
		tb.Fatal(err)
	}
	e, err := Open(tb.Context(), "p", Config{Program: program})
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

func TestList_Captured(t *testing.T) {
	none := map[string]string{}
	layer := map[string]string{"io.test:layer": `{"v":1, "x":"y z"}`}
	clone := map[string]string{"io.test:k": "v", "refquota": "33554432", "atime": "off"}
	for dialect, want := range map[string][]engine.Dataset{
		openZFS: {
			{Name: "zroot/z1cap", GUID: 115129148596069288, CreateTXG: 1911, Used: 3219456, Referenced: 24576, Written: 24576, Available: 5717471744, Mountpoint: "none", Props: map[string]string{"mountpoint": "none"}},
			{Name: "zroot/z1cap/a", GUID: 1970161360944234127, CreateTXG: 1913, Used: 24576, Referenced: 24576, Available: 5717471744, Mountpoint: "none", Props: none},
			{Name: "zroot/z1cap/a@1", Snapshot: true, GUID: 11490402753661187121, CreateTXG: 1914, Referenced: 24576, Written: 24576, Clones: 1, Props: layer},
			{Name: "zroot/z1cap/c", GUID: 14233585056388798447, CreateTXG: 1915, Referenced: 24576, Available: 33529856, Origin: "zroot/z1cap/a@1", Mountpoint: "none", Props: clone},
			{Name: "zroot/z1cap/h", GUID: 5488019793002096362, CreateTXG: 1921, Used: 24576, Referenced: 24576, Available: 5717471744, Mountpoint: "none", Props: none},
			{Name: "zroot/z1cap/h@1", Snapshot: true, GUID: 187491845028342940, CreateTXG: 1922, Referenced: 24576, Written: 24576, Clones: 1, DeferDestroy: true, Props: none},
			{Name: "zroot/z1cap/hc", GUID: 6525211031952090964, CreateTXG: 1923, Referenced: 24576, Available: 5717471744, Origin: "zroot/z1cap/h@1", Mountpoint: "none", Props: none},
		},
		fuse: {
			{Name: "tp/r", GUID: 13554599925357974084, CreateTXG: 7, Used: 344064, Referenced: 114688, Available: 227614720, Mountpoint: "none", Props: none},
			{Name: "tp/r/a", GUID: 17303094673234077691, CreateTXG: 9, Used: 114688, Referenced: 114688, Available: 227614720, Mountpoint: "none", Props: none},
			{Name: "tp/r/a@1", Snapshot: true, GUID: 1694522191584152051, CreateTXG: 14, Referenced: 114688, Clones: 1, Props: layer},
			{Name: "tp/r/c", GUID: 418190055486085106, CreateTXG: 16, Referenced: 114688, Available: 33439744, Origin: "tp/r/a@1", Mountpoint: "none", Props: clone},
			{Name: "tp/r/h", GUID: 10571730131499396666, CreateTXG: 24, Used: 114688, Referenced: 114688, Available: 227614720, Mountpoint: "none", Props: none},
			{Name: "tp/r/h@1", Snapshot: true, GUID: 3079145352114006113, CreateTXG: 29, Referenced: 114688, Clones: 1, DeferDestroy: true, Props: none},
			{Name: "tp/r/hc", GUID: 8952598247634068783, CreateTXG: 31, Referenced: 114688, Available: 227614720, Origin: "tp/r/h@1", Mountpoint: "none", Props: none},
		},
	} {
		e := asProgram(t, dialect)
		if modern := dialect == openZFS; e.modern != modern || e.Capabilities().Written != modern || e.Capabilities().SnapshotMany != modern {
			t.Errorf("%s: %+v", dialect, e.Capabilities())
		}
		got, err := e.List(t.Context(), want[0].Name)
		if err != nil || len(got) != len(want) {
			t.Fatalf("%s: %+v, %v", dialect, got, err)
		}
		for i := range want {
			if !reflect.DeepEqual(got[i], want[i]) {
				t.Errorf("%s:\ngot  %+v\nwant %+v", dialect, got[i], want[i])
			}
		}
		_, err = e.List(t.Context(), "zroot/z1cap/v")
		if dialect == openZFS && !errdefs.IsInvalidArgument(err) {
			t.Errorf("a volume: %v", err)
		}
	}
}

// Output that is cut off anywhere is refused, or is a part of what was there.
func TestParse_Prefixes(t *testing.T) {
	for _, dialect := range []string{fuse, openZFS} {
		text := captured(t, dialect, "get-all.txt")
		whole, err := parse(text)
		if err != nil || len(whole) < 7 {
			t.Fatalf("%s: %d, %v", dialect, len(whole), err)
		}
		for n := 0; n < len(text); n += 1 + n/4096*100 { // each at first, some later
			objects, err := parse(text[:n])
			if err == nil && len(objects) > len(whole) {
				t.Fatalf("%d bytes: %d objects", n, len(objects))
			}
			for _, o := range objects {
				if d, err := o.dataset(); err == nil && (d.Name == "" || d.Props == nil) {
					t.Fatalf("%d bytes: %+v", n, d)
				}
			}
		}
	}
	for _, text := range []string{"\n", "a\n", "a\tb\tc\n", "a\ttype\t-\tfilesystem\n\n", "\ttype\t-\tfilesystem\n", "a\t\t-\tx\n"} {
		if objects, err := parse(text); err == nil {
			t.Errorf("%q: %+v, want an error", text, objects)
		}
	}
	if objects, err := parse(""); err != nil || len(objects) != 0 {
		t.Errorf("nothing: %+v, %v", objects, err)
	}
	objects, err := parse("a\tx:y\tlocal\ttab\there\n")
	if err != nil || objects[0].props["x:y"].text != "tab\there" {
		t.Errorf("a value with a tab: %+v, %v", objects, err)
	}
}

// FuzzParse: whatever is printed is read or refused.
func FuzzParse(f *testing.F) {
	f.Add(captured(f, fuse, "get-all.txt"))
	f.Add(captured(f, openZFS, "get-all.txt"))
	f.Fuzz(func(t *testing.T, text string) {
		objects, err := parse(text)
		if err != nil {
			return
		}
		for _, o := range objects {
			if d, err := o.dataset(); err == nil && d.Name != o.name {
				t.Errorf("%q became %+v", o.name, d)
			}
		}
	})
}

// What zfs(8) has said, in both dialects where they differ.
func TestErrors_Captured(t *testing.T) {
	for _, c := range []struct {
		op, text string
		errno    syscall.Errno
		class    error
	}{
		{engine.OpCreate, "cannot create 'tp/a': dataset already exists\n", syscall.EEXIST, errdefs.ErrAlreadyExists},
		{engine.OpCreate, "cannot create 'tp/no/a': parent does not exist\n", syscall.ENOENT, errdefs.ErrNotFound},
		{engine.OpCreate, "cannot create 'nop/a': no such pool 'nop'\n", syscall.ENOENT, errdefs.ErrNotFound},
		{engine.OpCreate, "cannot create 'tp/full2': out of space\n", syscall.ENOSPC, errdefs.ErrResourceExhausted},
		{engine.OpClone, "cannot open 'tp/a@9': dataset does not exist\n", syscall.ENOENT, errdefs.ErrNotFound},
		{engine.OpSnapshot, "cannot create snapshot 'tp/a@1': dataset already exists\nno snapshots were created\n", syscall.EEXIST, errdefs.ErrAlreadyExists},
		{engine.OpSnapshot, "cannot open 'zroot/nope': dataset does not exist\nusage:\n\tsnapshot [-r] [-o property=value] ... <filesystem|volume>@<snap> ...\n", syscall.ENOENT, errdefs.ErrNotFound},
		{engine.OpDestroy, "cannot destroy 'tp/a': filesystem has children\nuse '-r' to destroy the following datasets:\ntp/a@1\n", syscall.EEXIST, errdefs.ErrFailedPrecondition},
		{engine.OpDestroy, "cannot destroy 'tp/a@1': snapshot has dependent clones\nuse '-R' to destroy the following datasets:\ntp/c\n", syscall.EEXIST, errdefs.ErrFailedPrecondition},
		{engine.OpDestroy, "could not find any snapshots to destroy; check snapshot names.\n", syscall.ENOENT, errdefs.ErrNotFound},
		{engine.OpDestroy, "cannot destroy snapshot zroot/a@2: it's being held. Run 'zfs holds -r zroot/a@2' to see holders.\n", syscall.EBUSY, errdefs.ErrFailedPrecondition},
		{engine.OpDestroy, "cannot destroy 'tp/c': dataset is busy\n", syscall.EBUSY, errdefs.ErrFailedPrecondition},
		{engine.OpDestroy, "cannot unmount '/mnt': pool or dataset is busy\n", syscall.EBUSY, errdefs.ErrFailedPrecondition},
		{engine.OpDestroy, "umount: /mm: target is busy.\ncannot unmount '/mm': umount failed: umount child process failed\n", syscall.EBUSY, errdefs.ErrFailedPrecondition},
		{engine.OpRollback, "cannot rollback to 'tp/a@1': more recent snapshots exist\nuse '-r' to force deletion of the following snapshots:\ntp/a@2\n", syscall.EEXIST, errdefs.ErrFailedPrecondition},
		{engine.OpRollback, "cannot rollback to 'zroot/a@1': more recent snapshots or bookmarks exist\n", syscall.EEXIST, errdefs.ErrFailedPrecondition},
		{engine.OpSetProps, "cannot set property for 'tp/a': size is less than current used or reserved space\n", syscall.ENOSPC, errdefs.ErrResourceExhausted},
		{engine.OpSetProps, "cannot set property for 'tp/a': size is greater than available space\n", syscall.ENOSPC, errdefs.ErrResourceExhausted},
		{engine.OpSetProps, "cannot set property for 'tp/a': invalid property 'bogus'\n", syscall.EINVAL, errdefs.ErrInvalidArgument},
		{engine.OpSetProps, "cannot set property for 'tp/a': 'compression' must be one of 'on | off | lzjb | gzip | gzip-[1-9] | zle'\n", syscall.EINVAL, errdefs.ErrInvalidArgument},
		{engine.OpSetProps, "cannot set property for 'zroot/a': 'recordsize' must be power of 2 from 512B to 16M\n", syscall.EINVAL, errdefs.ErrInvalidArgument},
		{engine.OpGet, "connect: Connection refused\nPlease make sure that the zfs-fuse daemon is running.\ninternal error: failed to initialize ZFS library\n", syscall.ENXIO, errdefs.ErrUnavailable},
		{engine.OpGet, "something new\n", 0, errdefs.ErrInternal},
	} {
		err := asError(c.op, "tp/x", c.text)
		if err.Errno != c.errno || !errors.Is(err.Class, c.class) || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "usage") {
			t.Errorf("%q: %v (errno %d, %v), want errno %d, %v", c.text, err, int(err.Errno), err.Class, int(c.errno), c.class)
		}
	}
}

func TestAtFault(t *testing.T) {
	names := []string{"p/a@1", "p/b@1"}
	for text, want := range map[string]string{
		"cannot create snapshot 'p/b@1': dataset already exists": "p/b@1",
		"cannot open 'p/b': dataset does not exist":              "p/b@1",
		"out of space": "p/a@1",
	} {
		if got := atFault(text, names); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestOpen_NoProgram_Unavailable(t *testing.T) {
	if e, err := Open(t.Context(), "p", Config{Program: filepath.Join(t.TempDir(), "zfs")}); !errdefs.IsUnavailable(err) {
		t.Errorf("%v, %v; want Unavailable", e, err)
	}
}
