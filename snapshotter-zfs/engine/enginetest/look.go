package enginetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"

	"github.com/containerd/errdefs"

	"jailshim/snapshotter-zfs/engine"
)

func testSizes(b *bench) {
	t := b.t
	const size = 1 << 20
	about := func(what string, got, want uint64) {
		t.Helper()
		if got+size/4 < want || got > want+size/4 {
			t.Errorf("%s is %d, want about %d", what, got, want)
		}
	}
	a := b.mustCreate(t, "a")
	b.Fill(t, b.Engine, a, size)
	one := b.mustGet(t, b.mustSnapshot(t, b.name("a@1"), nil))
	b.Fill(t, b.Engine, a, 2*size)
	two := b.mustGet(t, b.mustSnapshot(t, b.name("a@2"), nil))
	clone := b.mustClone(t, two.Name, "c")
	b.Fill(t, b.Engine, clone, size)
	b.mustSnapshot(t, b.name("c@1"), nil) // takes it all to the disk
	head, c := b.mustGet(t, a), b.mustGet(t, clone)
	about("first snapshot's referenced", one.Referenced, size)
	about("second snapshot's referenced", two.Referenced, 3*size)
	about("head's referenced", head.Referenced, 3*size)
	about("head's used", head.Used, 3*size)
	about("clone's referenced", c.Referenced, 4*size)
	about("clone's used", c.Used, size)
	if b.Capabilities().Written {
		about("first snapshot's written", one.Written, size)
		about("second snapshot's written", two.Written, 2*size)
		about("head's written", head.Written, 0)
		about("clone's snapshot's written", b.mustGet(t, b.name("c@1")).Written, size)
	}
}

func testList(b *bench) {
	t := b.t
	a := b.mustCreate(t, "a")
	b.mustCreate(t, "a/x")
	ab := b.mustCreate(t, "a-b") // sorts after a/x, though "-" is less than "/"
	late := b.mustSnapshot(t, b.name("a@z"), map[string]string{"io.test:n": "1"})
	later := b.mustSnapshot(t, b.name("a@b"), map[string]string{"io.test:n": "2"})
	clone := b.name("c")
	if err := b.Clone(b.ctx, late, clone, map[string]string{"io.test:k": "v", "refquota": "33554432"}); err != nil {
		t.Fatal(err)
	}
	b.wantNames(t, a, late, later, b.name("a/x"), ab, clone)
	list, err := b.List(b.ctx, b.root)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range list {
		got := b.mustGet(t, d.Name)
		// What tests before have destroyed may still be being freed.
		got.Available, d.Available = 0, 0
		if !reflect.DeepEqual(got, d) {
			t.Errorf("listed\n%+v, got\n%+v", d, got)
		}
	}
	if list, err := b.List(b.ctx, a); err != nil || len(list) != 4 || list[1].Clones != 1 {
		t.Errorf("of a part: %+v, %v", list, err)
	}
	if list, err := b.List(b.ctx, ab); err != nil || len(list) != 1 {
		t.Errorf("of a leaf: %+v, %v", list, err)
	}
	_, err = b.List(b.ctx, b.name("none"))
	wantError(t, "missing", err, errdefs.ErrNotFound, b.name("none"))
	_, err = b.List(b.ctx, late)
	wantError(t, "of a snapshot", err, errdefs.ErrInvalidArgument, late)
	for _, name := range []string{b.name("none"), b.name("a@none"), b.name("none@1")} {
		_, err = b.Get(b.ctx, name)
		wantError(t, "missing", err, errdefs.ErrNotFound, name)
	}
}

// calls are all methods that take names, on something below root.
func calls(ctx context.Context, e engine.Engine, root string) map[string]func() error {
	a, snap := root+"/a", root+"/a@1"
	props := map[string]string{"io.test:k": "v"}
	return map[string]func() error{
		"create":       func() error { return e.Create(ctx, a, nil) },
		"create props": func() error { return e.Create(ctx, a, props) },
		"clone":        func() error { return e.Clone(ctx, snap, a, nil) },
		"clone props":  func() error { return e.Clone(ctx, snap, a, props) },
		"snapshot":     func() error { return e.Snapshot(ctx, []string{snap}, props) },
		"destroy":      func() error { return e.Destroy(ctx, []string{a}, false) },
		"destroy snap": func() error { return e.Destroy(ctx, []string{snap}, true) },
		"destroy both": func() error { return e.Destroy(ctx, []string{snap, a}, true) },
		"rollback":     func() error { return e.Rollback(ctx, a, snap) },
		"set":          func() error { return e.SetProps(ctx, a, props) },
		"set native":   func() error { return e.SetProps(ctx, a, map[string]string{"atime": "off"}) },
		"inherit":      func() error { return e.SetProps(ctx, a, map[string]string{"io.test:k": ""}) },
		"get":          func() error { _, err := e.Get(ctx, a); return err },
		"get snap":     func() error { _, err := e.Get(ctx, snap); return err },
		"list":         func() error { _, err := e.List(ctx, a); return err },
	}
}

func testNoPool(b *bench) {
	t := b.t
	for name, call := range calls(b.ctx, b.Engine, "jt-no-such-pool") {
		if err := call(); !errdefs.IsUnavailable(err) {
			t.Errorf("%s: %v, want Unavailable", name, err)
		}
	}
}

func testBadNames(b *bench) {
	t := b.t
	for _, root := range []string{"", "/", b.root + "/", b.root + "//x", b.root + "/..", b.root + "/%x", b.root + "/x#y", b.root + "/-\x00", b.root + "/é", "-r",
		b.root + "@x", b.root + strings.Repeat("x", engine.MaxName), b.root + strings.Repeat("/x", engine.MaxDepth)} {
		for name, call := range calls(b.ctx, b.Engine, root) {
			if err := call(); !errdefs.IsInvalidArgument(err) {
				t.Errorf("%s in %.40q: %v, want InvalidArgument", name, root, err)
			}
		}
	}
	b.wantNames(t)
}

func testParallel(b *bench) {
	t := b.t
	const n = 24
	b.mustCreate(t, "a")
	snap := b.mustSnapshot(t, b.name("a@1"), nil)
	all := func(what string, do func(i int) error) {
		t.Helper()
		var wg sync.WaitGroup
		errs := make([]error, n)
		for i := range n {
			wg.Go(func() { errs[i] = do(i) })
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	name := func(i int) string { return b.name(fmt.Sprintf("c%02d", i)) }
	all("clone", func(i int) error {
		return b.Clone(b.ctx, snap, name(i), map[string]string{"io.test:i": fmt.Sprint(i)})
	})
	all("change and look", func(i int) error {
		if i%3 == 0 {
			_, err := b.List(b.ctx, b.root)
			return err
		}
		return b.Snapshot(b.ctx, []string{name(i) + "@s"}, map[string]string{"io.test:i": fmt.Sprint(i)})
	})
	guids := map[uint64]bool{}
	for i := range n {
		d := b.mustGet(t, name(i))
		wantProps(t, d, map[string]string{"io.test:i": fmt.Sprint(i)})
		guids[d.GUID] = true
	}
	if len(guids) != n {
		t.Errorf("%d different GUIDs, want %d", len(guids), n)
	}
	// One name, many callers: one wins.
	var won sync.Map
	all("create one", func(i int) error {
		err := b.Create(b.ctx, b.name("one"), nil)
		if err == nil {
			won.Store(i, true)
		}
		if errdefs.IsAlreadyExists(err) {
			return nil
		}
		return err
	})
	winners := 0
	won.Range(func(_, _ any) bool { winners++; return true })
	if winners != 1 {
		t.Errorf("%d callers have created one file system", winners)
	}
	all("destroy while listing", func(i int) error {
		if i%3 == 0 {
			if _, err := b.List(b.ctx, b.root); err != nil {
				return err
			}
			return b.Destroy(b.ctx, []string{name(i)}, false)
		}
		return b.Destroy(b.ctx, []string{name(i) + "@s", name(i)}, false)
	})
	b.wantNames(t, b.name("a"), snap, b.name("one"))
}

func testContext(b *bench) {
	t := b.t
	b.mustCreate(t, "a")
	snap := b.mustSnapshot(t, b.name("a@1"), nil)
	ctx, cancel := context.WithCancel(b.ctx)
	cancel()
	for name, call := range calls(ctx, b.Engine, b.root) {
		if err := call(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, want the context's error", name, err)
		}
	}
	b.wantNames(t, b.name("a"), snap)
}

func testClosed(b *bench) {
	t := b.t
	if b.Capabilities().Engine == "" {
		t.Error("an engine without a name")
	}
	for range 2 {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
	for name, call := range calls(b.ctx, b.Engine, b.root) {
		if err := call(); !errdefs.IsFailedPrecondition(err) {
			t.Errorf("%s: %v, want FailedPrecondition", name, err)
		}
	}
}
