package ioctl

import (
	"fmt"
	"os"
	"testing"

	"github.com/containerd/errdefs"

	"jailshim/snapshotter-zfs/engine"
	"jailshim/snapshotter-zfs/engine/enginetest"
	"jailshim/snapshotter-zfs/zfstest"
)

func TestMain(m *testing.M) { os.Exit(zfstest.Main(m)) }

// openOn opens the engine for a pool, until the test ends.
func openOn(tb testing.TB, p *zfstest.Pool) *Engine {
	tb.Helper()
	e, err := Open(tb.Context(), p.Name)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := e.Close(); err != nil {
			tb.Error(err)
		}
	})
	return e
}

// TestEngine runs the suite with all that this kernel's ZFS can do, and as on an older
// one.
func TestEngine(t *testing.T) {
	zfstest.Require(t)
	for _, c := range []struct {
		name string
		less func(c *engine.Capabilities)
	}{
		{"Programs", func(*engine.Capabilities) {}},
		{"NoClonePrograms", func(c *engine.Capabilities) { c.CloneInProgram = false }},
		{"NoPrograms", func(c *engine.Capabilities) { c.Programs, c.CloneInProgram = false, false }},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := zfstest.NewPool(t, zfstest.PoolSize)
			enginetest.Run(t, enginetest.Setup{
				Open: func(tb testing.TB) (engine.Engine, string) {
					tb.Helper()
					e := openOn(tb, p)
					c.less(&e.caps)
					return e, p.Temporary(tb)
				},
				Fill: func(tb testing.TB, _ engine.Engine, dataset string, n int) {
					tb.Helper()
					zfstest.Fill(tb, dataset, n)
				},
				Use: func(tb testing.TB, _ engine.Engine, dataset string) func() {
					tb.Helper()
					return zfstest.Use(tb, dataset)
				},
			})
		})
	}
}

// A release has all of these since 15.0.
func TestOpen_Capabilities(t *testing.T) {
	e := openOn(t, zfstest.NewPool(t, zfstest.PoolSize))
	want := engine.Capabilities{Engine: "ioctl", Programs: true, CloneInProgram: true, SnapshotMany: true, Written: true, SnapshotMounts: true}
	if got := e.Capabilities(); got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// What an operation costs is counted, in transaction groups.
func TestTXGs(t *testing.T) {
	p := zfstest.NewPool(t, zfstest.PoolSize)
	e := openOn(t, p)
	root := p.Temporary(t)
	ctx := t.Context()
	user := map[string]string{"io.test:a": "1", "io.test:b": "2"}
	var names []string
	for i := range 20 {
		names = append(names, fmt.Sprintf("%s/d%d", root, i))
	}
	for _, c := range []struct {
		name string
		most uint64
		do   func() error
	}{
		{"create", 1, func() error { return e.Create(ctx, root+"/a", nil) }},
		{"create with properties", 2, func() error { return e.Create(ctx, root+"/p", user) }},
		{"snapshot with properties", 1, func() error { return e.Snapshot(ctx, []string{root + "/a@1"}, user) }},
		{"snapshots with properties", 1, func() error { return e.Snapshot(ctx, []string{root + "/a@2", root + "/p@2"}, user) }},
		{"clone", 1, func() error { return e.Clone(ctx, root+"/a@1", root+"/c", nil) }},
		{"clone with user properties", 1, func() error { return e.Clone(ctx, root+"/a@1", root+"/u", user) }},
		{"clone with a quota", 2, func() error {
			return e.Clone(ctx, root+"/a@1", root+"/q", map[string]string{"refquota": "33554432"})
		}},
		{"set", 1, func() error { return e.SetProps(ctx, root+"/c", user) }},
		{"rollback", 1, func() error { return e.Rollback(ctx, root+"/a", root+"/a@2") }},
		{"get", 0, func() error { _, err := e.Get(ctx, root+"/a@1"); return err }},
		{"list", 0, func() error { _, err := e.List(ctx, root); return err }},
		{"clones for the next", 20, func() error {
			for _, n := range names {
				if err := e.Clone(ctx, root+"/a@1", n, nil); err != nil {
					return err
				}
			}
			return nil
		}},
		// What is freed is freed in the background, which may need another.
		{"destroy 20", 2, func() error { return e.Destroy(ctx, names, false) }},
	} {
		before := zfstest.TXG(t, p.Name)
		if err := c.do(); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		cost := zfstest.TXG(t, p.Name) - before
		t.Logf("%s: %d", c.name, cost)
		if cost > c.most {
			t.Errorf("%s costs %d transaction groups, want at most %d", c.name, cost, c.most)
		}
	}
}

// A mounted snapshot is busy to a program. Without one ZFS would unmount it by force.
func TestDestroy_MountedSnapshot_Refused(t *testing.T) {
	p := zfstest.NewPool(t, zfstest.PoolSize)
	e := openOn(t, p)
	root := p.Temporary(t)
	snap := root + "@1"
	if err := e.Snapshot(t.Context(), []string{snap}, nil); err != nil {
		t.Fatal(err)
	}
	unmount := zfstest.Mount(t, snap, t.TempDir())
	if err := e.Destroy(t.Context(), []string{snap}, true); !errdefs.IsFailedPrecondition(err) {
		t.Errorf("mounted: %v, want FailedPrecondition", err)
	}
	unmount()
	if err := e.Destroy(t.Context(), []string{snap}, true); err != nil {
		t.Errorf("no longer mounted: %v", err)
	}
}
