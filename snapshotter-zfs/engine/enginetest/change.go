package enginetest

import (
	"errors"
	"strings"

	"github.com/containerd/errdefs"

	"jailshim/snapshotter-zfs/engine"
)

func testDestroy(b *bench) {
	t := b.t
	a := b.mustCreate(t, "a")
	snap := b.mustSnapshot(t, b.name("a@1"), nil)
	clone := b.mustClone(t, snap, "c")
	b.mustDestroy(t, clone, snap, a)
	b.wantNames(t)
	again := b.mustCreate(t, "a")
	b.mustDestroy(t, again)
	b.wantGone(t, again)
}

func testDestroyRefused(b *bench) {
	t := b.t
	a := b.mustCreate(t, "a")
	child := b.mustCreate(t, "a/b")
	s := b.mustCreate(t, "s")
	snap := b.mustSnapshot(t, b.name("s@1"), nil)
	clone := b.mustClone(t, snap, "c")
	destroy := func(name string) error { return b.Destroy(b.ctx, []string{name}, false) }
	wantError(t, "with a child", destroy(a), errdefs.ErrFailedPrecondition, a)
	wantError(t, "with a snapshot", destroy(s), errdefs.ErrFailedPrecondition, s)
	wantError(t, "with a clone", destroy(snap), errdefs.ErrFailedPrecondition, snap)
	for _, name := range []string{b.name("none"), b.name("none@1"), b.name("a@none")} {
		wantError(t, "missing", destroy(name), errdefs.ErrNotFound, name)
	}
	pool := engine.Pool(b.root)
	wantError(t, "a pool", destroy(pool), errdefs.ErrInvalidArgument, pool)
	b.wantNames(t, a, child, clone, s, snap)
}

func testDestroyBatch(b *bench) {
	t := b.t
	a, kept := b.mustCreate(t, "a"), b.mustCreate(t, "kept")
	child := b.mustCreate(t, "kept/child")
	snap := b.mustSnapshot(t, b.name("a@1"), nil)
	err := b.Destroy(b.ctx, []string{b.name("none"), snap, kept, a}, false)
	var batch *engine.BatchError
	if !errors.As(err, &batch) || len(batch.Failed) != 2 {
		t.Fatalf("%v, want a *BatchError of two", err)
	}
	wantError(t, "first", batch.Failed[0], errdefs.ErrNotFound, b.name("none"))
	wantError(t, "second", batch.Failed[1], errdefs.ErrFailedPrecondition, kept)
	b.wantNames(t, kept, child)
	if err := b.Destroy(b.ctx, nil, false); err != nil {
		t.Errorf("nothing to destroy: %v", err)
	}
}

func testDestroyInUse(b *bench) {
	t := b.t
	a := b.mustCreate(t, "a")
	release := b.Use(t, b.Engine, a)
	wantError(t, "in use", b.Destroy(b.ctx, []string{a}, false), errdefs.ErrFailedPrecondition, a)
	b.mustGet(t, a)
	release()
	b.mustDestroy(t, a)
	b.wantNames(t)
}

func testDestroyDeferred(b *bench) {
	t := b.t
	a := b.mustCreate(t, "a")
	snap := b.mustSnapshot(t, b.name("a@1"), map[string]string{"io.test:k": "v"})
	clone := b.mustClone(t, snap, "c")
	if err := b.Destroy(b.ctx, []string{snap}, true); err != nil {
		t.Fatal(err)
	}
	d := b.mustGet(t, snap)
	if !d.DeferDestroy || d.Clones != 1 {
		t.Errorf("deferred: %+v", d)
	}
	wantProps(t, d, map[string]string{"io.test:k": "v"})
	b.mustDestroy(t, clone)
	b.wantGone(t, snap)
	// What nothing depends on goes at once, and a file system is never deferred.
	free := b.mustSnapshot(t, b.name("a@2"), nil)
	if err := b.Destroy(b.ctx, []string{free, a}, true); err != nil {
		t.Fatal(err)
	}
	b.wantNames(t)
	wantError(t, "missing", b.Destroy(b.ctx, []string{free}, true), errdefs.ErrNotFound, free)
}

func testRollback(b *bench) {
	t := b.t
	a := b.mustCreate(t, "a")
	one := b.mustSnapshot(t, b.name("a@1"), nil)
	before := b.mustGet(t, a)
	b.Fill(t, b.Engine, a, 1<<20)
	two := b.mustSnapshot(t, b.name("a@2"), nil)
	grown := b.mustGet(t, a)
	if grown.Referenced < before.Referenced+1<<19 {
		t.Fatalf("written: referenced %d, before %d", grown.Referenced, before.Referenced)
	}
	b.Fill(t, b.Engine, a, 2<<20)
	clone := b.mustClone(t, two, "c") // does not hinder
	if err := b.Rollback(b.ctx, a, two); err != nil {
		t.Fatal(err)
	}
	// What accounting keeps beside the files may differ a little.
	if d := b.mustGet(t, a); d.Referenced > grown.Referenced+1<<18 {
		t.Errorf("rolled back: referenced %d, want %d", d.Referenced, grown.Referenced)
	}
	b.mustDestroy(t, clone, two)
	if err := b.Rollback(b.ctx, a, one); err != nil {
		t.Fatal(err)
	}
	if d := b.mustGet(t, a); d.Referenced > before.Referenced+1<<18 {
		t.Errorf("rolled back further: referenced %d, want %d", d.Referenced, before.Referenced)
	}
}

func testRollbackRefused(b *bench) {
	t := b.t
	a, other := b.mustCreate(t, "a"), b.mustCreate(t, "other")
	one := b.mustSnapshot(t, b.name("a@1"), nil)
	b.mustSnapshot(t, b.name("a@2"), nil)
	wantError(t, "not the newest", b.Rollback(b.ctx, a, one), errdefs.ErrFailedPrecondition, a)
	wantError(t, "missing snapshot", b.Rollback(b.ctx, a, b.name("a@none")), errdefs.ErrNotFound, a)
	wantError(t, "missing", b.Rollback(b.ctx, b.name("none"), b.name("none@1")), errdefs.ErrNotFound, b.name("none"))
	wantError(t, "of another", b.Rollback(b.ctx, other, one), errdefs.ErrInvalidArgument, other)
	wantError(t, "a file system", b.Rollback(b.ctx, a, a), errdefs.ErrInvalidArgument, a)
}

func testSetProps(b *bench) {
	t := b.t
	a := b.mustCreate(t, "a")
	snap := b.mustSnapshot(t, b.name("a@1"), map[string]string{"io.test:k": "v"})
	for _, c := range []struct {
		name      string
		set, want map[string]string
	}{
		{a, map[string]string{"io.test:x": "1", "io.test:y": "2"}, map[string]string{"io.test:x": "1", "io.test:y": "2"}},
		{a, map[string]string{"io.test:x": "", "io.test:y": "3", "io.test:none": ""}, map[string]string{"io.test:y": "3"}},
		{a, map[string]string{"refquota": "33554432", "atime": "off"}, map[string]string{"io.test:y": "3", "refquota": "33554432", "atime": "off"}},
		{a, map[string]string{"refquota": "", "atime": "", "exec": "", "io.test:z": "4"}, map[string]string{"io.test:y": "3", "io.test:z": "4"}},
		{a, nil, map[string]string{"io.test:y": "3", "io.test:z": "4"}},
		{snap, map[string]string{"io.test:k": "w", "io.test:l": "1"}, map[string]string{"io.test:k": "w", "io.test:l": "1"}},
		{snap, map[string]string{"io.test:k": "", "io.test:l": "2"}, map[string]string{"io.test:l": "2"}},
	} {
		if err := b.SetProps(b.ctx, c.name, c.set); err != nil {
			t.Fatalf("set %q: %v", c.set, err)
		}
		wantProps(t, b.mustGet(t, c.name), c.want)
	}
}

func testSetPropsRefused(b *bench) {
	t := b.t
	a := b.mustCreate(t, "a")
	b.Fill(t, b.Engine, a, 1<<20)
	snap := b.mustSnapshot(t, b.name("a@1"), nil)
	for _, props := range []map[string]string{{"io.test:k": "v"}, {"io.test:k": ""}, {"io.test:k": "", "io.test:l": "v"}} {
		for _, name := range []string{b.name("none"), b.name("a@none"), b.name("none@1")} {
			wantError(t, "missing", b.SetProps(b.ctx, name, props), errdefs.ErrNotFound, name)
		}
	}
	for _, props := range []map[string]string{{"atime": "off"}, {"refquota": ""}} {
		wantError(t, "missing", b.SetProps(b.ctx, b.name("none"), props), errdefs.ErrNotFound, b.name("none"))
		wantError(t, "native of a snapshot", b.SetProps(b.ctx, snap, props), errdefs.ErrInvalidArgument, snap)
	}
	wantError(t, "quota below what is used", b.SetProps(b.ctx, a, map[string]string{"quota": "65536"}), errdefs.ErrResourceExhausted, a)
	wantError(t, "more than there is", b.SetProps(b.ctx, a, map[string]string{"refreservation": tooMuch}), errdefs.ErrResourceExhausted, a)
	wantProps(t, b.mustGet(t, a), nil)
}

func testLargeProp(b *bench) {
	t := b.t
	b.mustCreate(t, "a")
	props := map[string]string{"io.test:large": strings.Repeat("0123456789abcde ", 4096/16-1) + "end"}
	snap := b.mustSnapshot(t, b.name("a@1"), props)
	wantProps(t, b.mustGet(t, snap), props)
	if err := b.Clone(b.ctx, snap, b.name("c"), props); err != nil {
		t.Fatal(err)
	}
	wantProps(t, b.mustGet(t, b.name("c")), props)
}
