package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/containerd/errdefs"
)

func TestCheckNames(t *testing.T) {
	long := "p/" + strings.Repeat("x", MaxName-2)
	for name, want := range map[string]bool{
		"p": true, "zroot/a": true, "p/a b.c_d:e-F0": true, "p/-a": true, long: true, "p" + strings.Repeat("/x", MaxDepth-1): true,
		"": false, "/": false, "p/": false, "/p": false, "p//a": false, "p/.": false, "p/..": false, "p/%recv": false, "p/a#b": false, "p/é": false, "p/a\x00": false,
		"-p": false, "1p/a": false, "p/a@s": false, long + "x": false, "p" + strings.Repeat("/x", MaxDepth): false,
	} {
		if err := CheckDataset(OpGet, name); (err == nil) != want || err != nil && !errdefs.IsInvalidArgument(err) {
			t.Errorf("file system %.40q: %v, want good: %v", name, err, want)
		}
		if snapshot := name + "@s"; len(snapshot) <= MaxName && !strings.Contains(name, "@") {
			if err := CheckName(OpGet, snapshot); (err == nil) != want {
				t.Errorf("snapshot %.40q: %v, want good: %v", snapshot, err, want)
			}
		}
	}
	for _, name := range []string{"p", "p@", "@s", "p@a@b", "p@a/b", "p@é", "p@" + strings.Repeat("x", MaxName)} {
		if err := CheckSnapshot(OpGet, name); !errdefs.IsInvalidArgument(err) {
			t.Errorf("snapshot %.40q: %v, want InvalidArgument", name, err)
		}
	}
	if err := CheckDestroy("p"); !errdefs.IsInvalidArgument(err) {
		t.Errorf("destroy a pool: %v", err)
	}
	if err := CheckDestroy("p@s"); err != nil {
		t.Errorf("destroy a pool's snapshot: %v", err)
	}
}

func TestNames_Parts(t *testing.T) {
	for _, c := range []struct{ name, pool, parent string }{
		{"p", "p", ""}, {"p/a", "p", "p"}, {"p/a/b", "p", "p/a"}, {"p@s", "p", "p"}, {"p/a@s", "p", "p/a"},
	} {
		if pool, parent := Pool(c.name), Parent(c.name); pool != c.pool || parent != c.parent {
			t.Errorf("%q: %q, %q", c.name, pool, parent)
		}
	}
}

func TestNativeProp_NumbersAndTexts(t *testing.T) {
	for _, c := range []struct {
		prop, value string
		number      uint64
	}{
		{"atime", "off", 0}, {"compression", "lz4", 15}, {"compression", "gzip-9", 13}, {"compression", "zstd", 16}, {"compression", "zstd-19", 16 | 19<<7},
		{"sync", "disabled", 2}, {"snapdir", "disabled", 2}, {"xattr", "sa", 2}, {"quota", "1073741824", 1 << 30}, {"canmount", "noauto", 2},
	} {
		p := NativeProps[c.prop]
		if n, err := p.Number(c.value); err != nil || n != c.number {
			t.Errorf("%s=%s: %d, %v; want %d", c.prop, c.value, n, err, c.number)
		}
		if text := p.Text(c.number); text != c.value {
			t.Errorf("%s of %d: %q, want %q", c.prop, c.number, text, c.value)
		}
	}
	// Two words for one number: the one that ZFS says.
	if text := NativeProps["compression"].Text(10); text != "gzip" {
		t.Errorf("compression 10 is %q", text)
	}
	if text := NativeProps["compression"].Text(77); text != "77" {
		t.Errorf("an unknown compression is %q", text)
	}
}

func TestClass_DependsOnOperation(t *testing.T) {
	for _, c := range []struct {
		op    string
		errno syscall.Errno
		class error
	}{
		{OpCreate, syscall.EEXIST, errdefs.ErrAlreadyExists},
		{OpDestroy, syscall.EEXIST, errdefs.ErrFailedPrecondition},
		{OpRollback, syscall.EEXIST, errdefs.ErrFailedPrecondition},
		{OpGet, syscall.ESRCH, errdefs.ErrNotFound},
		{OpRollback, syscall.ESRCH, errdefs.ErrFailedPrecondition},
		{OpDestroy, syscall.EBUSY, errdefs.ErrFailedPrecondition},
		{OpCreate, syscall.ENOSPC, errdefs.ErrResourceExhausted},
		{OpCreate, syscall.EDQUOT, errdefs.ErrResourceExhausted},
		{OpCreate, syscall.EAGAIN, errdefs.ErrUnavailable},
		{OpCreate, syscall.EPERM, errdefs.ErrPermissionDenied},
		{OpSetProps, syscall.E2BIG, errdefs.ErrInvalidArgument},
		{OpClone, syscall.EXDEV, errdefs.ErrInvalidArgument},
		{OpOpen, errCmdUnavail, errdefs.ErrNotImplemented},
		{OpGet, syscall.EIO, errdefs.ErrInternal},
		{OpGet, 1099, errdefs.ErrInternal},
	} {
		err := NewError(c.op, "p/a", c.errno, "")
		if !errors.Is(err, c.class) || !errors.Is(err, c.errno) {
			t.Errorf("%s, %v: %v, want %v", c.op, c.errno, err.Class, c.class)
		}
	}
}

func TestError_Text(t *testing.T) {
	for want, err := range map[string]error{
		`clone "p/c": from "p/a@1": file exists`:            NewError(OpClone, "p/c", syscall.EEXIST, `from "p/a@1"`),
		`open "p": this ZFS has no such call`:               NewError(OpOpen, "p", errCmdUnavail, ""),
		`get "p": ZFS error 1099`:                           NewError(OpGet, "p", 1099, ""),
		`get "p": not found`:                                &Error{Op: OpGet, Object: "p", Class: errdefs.ErrNotFound},
		`destroy "a": device or resource busy (and 1 more)`: Batch([]string{"a", "b"}, []*Error{NewError(OpDestroy, "a", 16, ""), NewError(OpDestroy, "b", 16, "")}),
	} {
		got := strings.NewReplacer("device busy", "device or resource busy").Replace(err.Error())
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	one := NewError(OpDestroy, "a", syscall.EBUSY, "")
	if err := Batch([]string{"a"}, []*Error{one}); err != error(one) { //nolint:errorlint // the very one
		t.Errorf("of one name: %v", err)
	}
	if err := Batch([]string{"a", "b"}, nil); err != nil {
		t.Errorf("of none: %v", err)
	}
}

func TestSort(t *testing.T) {
	want := []string{"p", "p/a", "p/a@z", "p/a@b", "p/a/x", "p/a/x@1", "p/a-b", "p/b"}
	var list []Dataset
	for i, name := range want {
		list = append(list, Dataset{Name: name, Snapshot: IsSnapshot(name), CreateTXG: uint64(i)})
	}
	slices.Reverse(list)
	Sort(list)
	for i, d := range list {
		if d.Name != want[i] {
			t.Errorf("%d is %q, want %q", i, d.Name, want[i])
		}
	}
}

func TestGate(t *testing.T) {
	g := NewGate(2)
	first, err1 := g.Enter(t.Context(), OpGet, "p")
	second, err2 := g.Enter(t.Context(), OpGet, "p")
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	ctx, cancel := context.WithCancel(t.Context())
	waits := make(chan error)
	go func() {
		_, err := g.Enter(ctx, OpGet, "p")
		waits <- err
	}()
	cancel()
	if err := <-waits; !errors.Is(err, context.Canceled) {
		t.Errorf("without a place: %v", err)
	}
	var closed sync.WaitGroup
	firsts := make([]bool, 2)
	for i := range firsts {
		closed.Go(func() { firsts[i] = g.Close() })
	}
	first()
	second()
	closed.Wait()
	if firsts[0] == firsts[1] {
		t.Errorf("closed first: %v", firsts)
	}
	if _, err := g.Enter(t.Context(), OpGet, "p"); !errdefs.IsFailedPrecondition(err) {
		t.Errorf("closed: %v", err)
	}
}

// Each number has its place in ZFS's source beside it, and nothing that is told is
// refused when it is set.
func TestNativeProps_TakeTheirChoices(t *testing.T) {
	for name, p := range NativeProps {
		for word, n := range p.Choices {
			if err := CheckProps(OpCreate, "p/a", map[string]string{name: word}); err != nil {
				t.Error(err)
			}
			if err := CheckProps(OpCreate, "p/a", map[string]string{name: p.Text(n)}); err != nil {
				t.Error(err)
			}
		}
		if p.Default != "" {
			if err := CheckProps(OpSetProps, "p/a", map[string]string{name: p.Default}); err != nil {
				t.Error(err)
			}
		}
		if err := CheckProps(OpSnapshot, "p/a@s", map[string]string{name: fmt.Sprint(p.Default)}); !errdefs.IsInvalidArgument(err) {
			t.Errorf("%s of a snapshot: %v", name, err)
		}
	}
}
