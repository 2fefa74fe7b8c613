package enginetest

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/containerd/errdefs"

	"jailshim/snapshotter-zfs/engine"
)

// Setup is what the suite needs of the one that runs it.
type Setup struct {
	// Open returns an engine, and an empty file system with the mountpoint none or
	// legacy, for one test. Both go when the test ends.
	Open func(tb testing.TB) (engine.Engine, string)
	// Fill writes n bytes that do not compress to a file system that is not in use.
	Fill func(tb testing.TB, e engine.Engine, dataset string, n int)
	// Use keeps a file system busy, as a mount does, until release is called.
	Use func(tb testing.TB, e engine.Engine, dataset string) (release func())
}

// Run runs the suite.
func Run(t *testing.T, s Setup) {
	t.Helper()
	for _, c := range []struct {
		name string
		test func(b *bench)
	}{
		{"Create", testCreate},
		{"CreateProps", testCreateProps},
		{"CreateRefused", testCreateRefused},
		{"Clone", testClone},
		{"CloneProps", testCloneProps},
		{"CloneRefused", testCloneRefused},
		{"Snapshot", testSnapshot},
		{"SnapshotMany", testSnapshotMany},
		{"SnapshotRefused", testSnapshotRefused},
		{"Destroy", testDestroy},
		{"DestroyRefused", testDestroyRefused},
		{"DestroyBatch", testDestroyBatch},
		{"DestroyInUse", testDestroyInUse},
		{"DestroyDeferred", testDestroyDeferred},
		{"Rollback", testRollback},
		{"RollbackRefused", testRollbackRefused},
		{"SetProps", testSetProps},
		{"SetPropsRefused", testSetPropsRefused},
		{"LargeProp", testLargeProp},
		{"Sizes", testSizes},
		{"List", testList},
		{"NoPool", testNoPool},
		{"BadNames", testBadNames},
		{"Parallel", testParallel},
		{"Context", testContext},
		{"Closed", testClosed},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, root := s.Open(t)
			c.test(&bench{t: t, Setup: s, Engine: e, root: root, ctx: t.Context()})
		})
	}
}

// bench is an engine under test. Its must methods fail the test.
type bench struct {
	t *testing.T
	Setup
	engine.Engine
	root string
	ctx  context.Context
}

// name is that of something below the root.
func (b *bench) name(rest string) string { return b.root + "/" + rest }

func (b *bench) mustCreate(t *testing.T, rest string) string {
	t.Helper()
	name := b.name(rest)
	if err := b.Create(b.ctx, name, nil); err != nil {
		t.Fatal(err)
	}
	return name
}

func (b *bench) mustSnapshot(t *testing.T, name string, props map[string]string) string {
	t.Helper()
	if err := b.Snapshot(b.ctx, []string{name}, props); err != nil {
		t.Fatal(err)
	}
	return name
}

func (b *bench) mustClone(t *testing.T, snapshot, rest string) string {
	t.Helper()
	name := b.name(rest)
	if err := b.Clone(b.ctx, snapshot, name, nil); err != nil {
		t.Fatal(err)
	}
	return name
}

func (b *bench) mustGet(t *testing.T, name string) engine.Dataset {
	t.Helper()
	d, err := b.Get(b.ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (b *bench) mustDestroy(t *testing.T, names ...string) {
	t.Helper()
	if err := b.Destroy(b.ctx, names, false); err != nil {
		t.Fatal(err)
	}
}

// wantNames checks what there is below the root.
func (b *bench) wantNames(t *testing.T, want ...string) {
	t.Helper()
	list, err := b.List(b.ctx, b.root)
	if err != nil {
		t.Fatal(err)
	}
	got := make([]string, 0, len(list))
	for _, d := range list {
		got = append(got, d.Name)
	}
	if want = append([]string{b.root}, want...); !slices.Equal(got, want) {
		t.Errorf("there is\n%q, want\n%q", got, want)
	}
}

// wantGone checks that something is not there.
func (b *bench) wantGone(t *testing.T, name string) {
	t.Helper()
	if d, err := b.Get(b.ctx, name); !errdefs.IsNotFound(err) {
		t.Errorf("%q: %+v, %v; want NotFound", name, d, err)
	}
}

// wantError checks for an *engine.Error of a class, about an object.
func wantError(t *testing.T, what string, err, class error, object string) {
	t.Helper()
	var e *engine.Error
	switch {
	case !errors.As(err, &e):
		t.Errorf("%s: %v, want an *engine.Error, %v", what, err, class)
	case !errors.Is(err, class) || !errors.Is(e.Class, class):
		t.Errorf("%s: %v (%v), want %v", what, err, e.Class, class)
	case e.Object != object || e.Op == "":
		t.Errorf("%s: op %q, object %q, want %q", what, e.Op, e.Object, object)
	}
}

// wantProps compares properties.
func wantProps(t *testing.T, d engine.Dataset, want map[string]string) {
	t.Helper()
	if d.Props == nil {
		t.Errorf("%s: no map of properties", d.Name)
	}
	for name, value := range want {
		if d.Props[name] != value {
			t.Errorf("%s: property %q is %q, want %q", d.Name, name, d.Props[name], value)
		}
	}
	for name, value := range d.Props {
		if _, ok := want[name]; !ok {
			t.Errorf("%s: unexpected property %q = %q", d.Name, name, value)
		}
	}
}
