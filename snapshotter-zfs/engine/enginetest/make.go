package enginetest

import (
	"strings"

	"github.com/containerd/errdefs"

	"jailshim/snapshotter-zfs/engine"
)

// tooMuch is more than any pool of a test has.
const tooMuch = "1152921504606846976"

func testCreate(b *bench) {
	t := b.t
	name := b.mustCreate(t, "a")
	d := b.mustGet(t, name)
	if d.Name != name || d.Snapshot || d.GUID == 0 || d.CreateTXG == 0 || d.Available == 0 || d.Origin != "" || d.Clones != 0 || d.DeferDestroy {
		t.Errorf("a new file system is %+v", d)
	}
	if root := b.mustGet(t, b.root); d.Mountpoint != root.Mountpoint || d.GUID == root.GUID || d.CreateTXG < root.CreateTXG {
		t.Errorf("%+v in %+v", d, root)
	}
	wantProps(t, d, nil)
	b.mustCreate(t, "a/b c.d_e:f-G")
	b.wantNames(t, name, b.name("a/b c.d_e:f-G"))
}

func testCreateProps(b *bench) {
	t := b.t
	props := map[string]string{"io.test:a": `{"v":1, "w":"x=y é"}`, "atime": "off", "compression": "gzip-9", "recordsize": "16384", "quota": "50331648", "refquota": "33554432", "mountpoint": "legacy"}
	if err := b.Create(b.ctx, b.name("a"), props); err != nil {
		t.Fatal(err)
	}
	d := b.mustGet(t, b.name("a"))
	wantProps(t, d, props)
	if d.Mountpoint != "legacy" || d.Available > 33554432 {
		t.Errorf("%+v", d)
	}
	b.mustCreate(t, "a/b")
	inherits := b.mustGet(t, b.name("a/b"))
	wantProps(t, inherits, nil)
	if inherits.Mountpoint != "legacy" {
		t.Errorf("inherited mountpoint %q", inherits.Mountpoint)
	}
}

func testCreateRefused(b *bench) {
	t := b.t
	name := b.mustCreate(t, "a")
	wantError(t, "twice", b.Create(b.ctx, name, nil), errdefs.ErrAlreadyExists, name)
	wantError(t, "twice with properties", b.Create(b.ctx, name, map[string]string{"a:b": "c"}), errdefs.ErrAlreadyExists, name)
	wantProps(t, b.mustGet(t, name), nil)
	orphan := b.name("none/a")
	wantError(t, "no parent", b.Create(b.ctx, orphan, nil), errdefs.ErrNotFound, orphan)
	full := b.name("full")
	wantError(t, "more than there is", b.Create(b.ctx, full, map[string]string{"a:b": "c", "refreservation": tooMuch}), errdefs.ErrResourceExhausted, full)
	b.wantGone(t, full)
	for _, props := range []map[string]string{
		{"nosuch": "x"}, {"atime": "maybe"}, {"quota": "1G"}, {"recordsize": "3"}, {"mountpoint": "here"}, {"A:b": "x"},
		{"a:b": ""}, {"a:b": "two\nlines"}, {"a:b": "zero\x00"}, {"a:b": strings.Repeat("x", engine.MaxPropValue+1)}, {"volsize": "1048576"},
	} {
		wantError(t, "bad property", b.Create(b.ctx, b.name("p"), props), errdefs.ErrInvalidArgument, b.name("p"))
		b.wantGone(t, b.name("p"))
	}
	b.wantNames(t, name)
}

func testClone(b *bench) {
	t := b.t
	b.mustCreate(t, "a")
	snap := b.mustSnapshot(t, b.name("a@1"), nil)
	one, two := b.mustClone(t, snap, "c1"), b.mustClone(t, snap, "c2")
	if d := b.mustGet(t, one); d.Origin != snap || d.Snapshot || d.GUID == b.mustGet(t, snap).GUID {
		t.Errorf("a clone is %+v", d)
	}
	if d := b.mustGet(t, snap); d.Clones != 2 || d.Origin != "" {
		t.Errorf("its origin is %+v, want two clones", d)
	}
	b.mustDestroy(t, two)
	if d := b.mustGet(t, snap); d.Clones != 1 {
		t.Errorf("its origin is %+v, want one clone", d)
	}
	b.mustDestroy(t, one)
	if d := b.mustGet(t, snap); d.Clones != 0 {
		t.Errorf("its origin is %+v, want no clone", d)
	}
}

func testCloneProps(b *bench) {
	t := b.t
	b.mustCreate(t, "a")
	snap := b.mustSnapshot(t, b.name("a@1"), map[string]string{"io.test:snap": "1"})
	for _, c := range []struct {
		name  string
		props map[string]string
	}{
		{"user", map[string]string{"io.test:a": "x", "io.test:b": "y z"}},
		{"native", map[string]string{"refquota": "33554432"}},
		{"both", map[string]string{"io.test:a": "x", "atime": "off", "refquota": "33554432"}},
	} {
		if err := b.Clone(b.ctx, snap, b.name(c.name), c.props); err != nil {
			t.Fatal(err)
		}
		wantProps(t, b.mustGet(t, b.name(c.name)), c.props)
	}
}

func testCloneRefused(b *bench) {
	t := b.t
	a := b.mustCreate(t, "a")
	snap := b.mustSnapshot(t, b.name("a@1"), nil)
	props := map[string]string{"io.test:a": "x"}
	for _, p := range []map[string]string{nil, props, {"atime": "off"}} {
		wantError(t, "taken", b.Clone(b.ctx, snap, a, p), errdefs.ErrAlreadyExists, a)
		wantError(t, "no snapshot", b.Clone(b.ctx, b.name("a@2"), b.name("c"), p), errdefs.ErrNotFound, b.name("c"))
		wantError(t, "no parent", b.Clone(b.ctx, snap, b.name("none/c"), p), errdefs.ErrNotFound, b.name("none/c"))
	}
	wantProps(t, b.mustGet(t, a), nil)
	wantError(t, "more than there is", b.Clone(b.ctx, snap, b.name("c"), map[string]string{"a:b": "c", "refreservation": tooMuch}), errdefs.ErrResourceExhausted, b.name("c"))
	wantError(t, "bad property", b.Clone(b.ctx, snap, b.name("c"), map[string]string{"nosuch": "c"}), errdefs.ErrInvalidArgument, b.name("c"))
	wantError(t, "of a file system", b.Clone(b.ctx, a, b.name("c"), nil), errdefs.ErrInvalidArgument, a)
	b.wantNames(t, a, snap)
}

func testSnapshot(b *bench) {
	t := b.t
	a := b.mustCreate(t, "a")
	props := map[string]string{"io.test:layer": `{"v":1,"name":"default/12/sha256:0f"}`, "io.test:x": "é"}
	one := b.mustSnapshot(t, b.name("a@1"), props)
	d := b.mustGet(t, one)
	if d.Name != one || !d.Snapshot || d.GUID == 0 || d.Available != 0 || d.Mountpoint != "" || d.Clones != 0 || d.Origin != "" || d.Referenced == 0 {
		t.Errorf("a snapshot is %+v", d)
	}
	wantProps(t, d, props)
	two := b.mustSnapshot(t, b.name("a@2"), nil)
	if e := b.mustGet(t, two); e.CreateTXG <= d.CreateTXG || e.GUID == d.GUID {
		t.Errorf("snapshots %+v, then %+v", d, e)
	}
	wantProps(t, b.mustGet(t, two), nil)
	wantProps(t, b.mustGet(t, a), nil)
}

func testSnapshotMany(b *bench) {
	t := b.t
	b.mustCreate(t, "a")
	b.mustCreate(t, "b")
	names := []string{b.name("a@1"), b.name("b@1")}
	err := b.Snapshot(b.ctx, names, map[string]string{"io.test:k": "v"})
	if !b.Capabilities().SnapshotMany {
		wantError(t, "several", err, errdefs.ErrNotImplemented, names[0])
		b.wantNames(t, b.name("a"), b.name("b"))
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	one, two := b.mustGet(t, names[0]), b.mustGet(t, names[1])
	wantProps(t, one, map[string]string{"io.test:k": "v"})
	wantProps(t, two, map[string]string{"io.test:k": "v"})
	if one.CreateTXG != two.CreateTXG {
		t.Errorf("made in txg %d and %d", one.CreateTXG, two.CreateTXG)
	}
	err = b.Snapshot(b.ctx, []string{b.name("a@2"), names[1]}, nil)
	wantError(t, "one exists", err, errdefs.ErrAlreadyExists, names[1])
	b.wantGone(t, b.name("a@2"))
	err = b.Snapshot(b.ctx, []string{b.name("a@2"), b.name("none@2")}, nil)
	wantError(t, "one is of nothing", err, errdefs.ErrNotFound, b.name("none@2"))
	b.wantGone(t, b.name("a@2"))
}

func testSnapshotRefused(b *bench) {
	t := b.t
	a := b.mustCreate(t, "a")
	one := b.mustSnapshot(t, b.name("a@1"), nil)
	snapshot := func(names ...string) error { return b.Snapshot(b.ctx, names, nil) }
	wantError(t, "twice", snapshot(one), errdefs.ErrAlreadyExists, one)
	wantError(t, "of nothing", snapshot(b.name("none@1")), errdefs.ErrNotFound, b.name("none@1"))
	wantError(t, "a file system", snapshot(a), errdefs.ErrInvalidArgument, a)
	wantError(t, "none", snapshot(), errdefs.ErrInvalidArgument, "")
	wantError(t, "two of one", snapshot(b.name("a@2"), b.name("a@3")), errdefs.ErrInvalidArgument, b.name("a@3"))
	wantError(t, "two pools", snapshot(b.name("a@2"), "other/a@2"), errdefs.ErrInvalidArgument, "other/a@2")
	err := b.Snapshot(b.ctx, []string{b.name("a@2")}, map[string]string{"atime": "off"})
	wantError(t, "native property", err, errdefs.ErrInvalidArgument, b.name("a@2"))
	b.wantNames(t, a, one)
}
