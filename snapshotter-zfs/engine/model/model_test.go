package model_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/containerd/errdefs"

	"jailshim/snapshotter-zfs/engine"
	"jailshim/snapshotter-zfs/engine/enginetest"
	"jailshim/snapshotter-zfs/engine/model"
)

const poolSize = 64 << 20

// capabilities are those of the ZFS's that there are.
var capabilities = map[string]engine.Capabilities{
	"openzfs-2.4": {Programs: true, CloneInProgram: true, SnapshotMany: true, Written: true, SnapshotMounts: true},
	"openzfs-2.2": {Programs: true, SnapshotMany: true, Written: true, SnapshotMounts: true},
	"zfs-fuse":    {},
}

func TestModel_PassesTheSuite(t *testing.T) {
	for name, caps := range capabilities {
		t.Run(name, func(t *testing.T) {
			var fills atomic.Int32
			pools := map[engine.Engine]*model.Pool{}
			enginetest.Run(t, enginetest.Setup{
				Open: func(tb testing.TB) (engine.Engine, string) {
					tb.Helper()
					p := model.NewPool("tank", poolSize)
					e := model.NewLimited(p, caps)
					pools[e] = p
					if err := e.SetProps(tb.Context(), "tank", map[string]string{"mountpoint": "none"}); err != nil {
						tb.Fatal(err)
					}
					if err := e.Create(tb.Context(), "tank/test", nil); err != nil {
						tb.Fatal(err)
					}
					return e, "tank/test"
				},
				Fill: func(tb testing.TB, e engine.Engine, dataset string, n int) {
					tb.Helper()
					if err := pools[e].WriteFile(dataset, fmt.Sprint("fill", fills.Add(1)), strings.Repeat("x", n)); err != nil {
						tb.Fatal(err)
					}
					pools[e].Sync()
				},
				Use: func(tb testing.TB, e engine.Engine, dataset string) func() {
					tb.Helper()
					if err := pools[e].Own(dataset); err != nil {
						tb.Fatal(err)
					}
					return func() { pools[e].Disown(dataset) }
				},
			})
		})
	}
}

func newPool(t *testing.T) (*model.Pool, *model.Engine) {
	t.Helper()
	p := model.NewPool("tank", poolSize)
	e := model.New(p)
	if err := e.Create(t.Context(), "tank/a", nil); err != nil {
		t.Fatal(err)
	}
	return p, e
}

func TestModel_Crash_LosesWhatNoTxgBroughtToDisk(t *testing.T) {
	p, e := newPool(t)
	write := func(path string) {
		t.Helper()
		if err := p.WriteFile("tank/a", path, "x"); err != nil {
			t.Fatal(err)
		}
	}
	write("kept")
	if err := e.Snapshot(t.Context(), []string{"tank/a@1"}, nil); err != nil {
		t.Fatal(err)
	}
	write("lost")
	p.Crash()
	if files := p.Files("tank/a"); files["kept"] == "" || files["lost"] != "" {
		t.Errorf("files after the crash: %v", files)
	}
}

func TestModel_CrashInACall_KeepsItOnlyOnceItIsOnDisk(t *testing.T) {
	for _, step := range []model.Step{model.Begun, model.Applied, model.Synced} {
		p, e := newPool(t)
		p.OnStep(func(_, _ string, at model.Step) bool { return at == step })
		if err := e.Create(t.Context(), "tank/b", nil); err == nil {
			t.Errorf("step %d: the call did not fail", step)
		}
		p.OnStep(nil)
		_, err := e.Get(t.Context(), "tank/b")
		if kept := err == nil; kept != (step == model.Synced) {
			t.Errorf("step %d: %v", step, err)
		}
	}
}

func TestModel_CallsAtTheSameTime_ShareTxgs(t *testing.T) {
	p, e := newPool(t)
	before := p.Txgs()
	var waiting, done sync.WaitGroup
	waiting.Add(100)
	// The first to sync waits until all have changed the open group.
	p.OnStep(func(_, _ string, at model.Step) bool {
		if at == model.Applied {
			waiting.Done()
		}
		return false
	})
	p.HoldSync()
	for i := range 100 {
		done.Go(func() {
			if err := e.Create(t.Context(), fmt.Sprint("tank/n", i), nil); err != nil {
				t.Error(err)
			}
		})
	}
	waiting.Wait()
	p.ReleaseSync()
	done.Wait()
	if n := p.Txgs() - before; n > 2 {
		t.Errorf("100 calls took %d txgs", n)
	}
}

func TestModel_OneOwnerAtMost(t *testing.T) {
	p, _ := newPool(t)
	if err := p.Own("tank/a"); err != nil {
		t.Fatal(err)
	}
	if err := p.Own("tank/a"); !errdefs.IsFailedPrecondition(err) {
		t.Errorf("second owner: %v, want FailedPrecondition", err)
	}
	p.Disown("tank/a")
	if err := p.Own("tank/a"); err != nil {
		t.Error(err)
	}
}

func TestModel_FullPool_ChangesNothing(t *testing.T) {
	p, e := newPool(t)
	p.Resize(1)
	if err := e.Create(t.Context(), "tank/b", nil); !errdefs.IsResourceExhausted(err) {
		t.Errorf("create: %v, want ResourceExhausted", err)
	}
	if err := p.WriteFile("tank/a", "x", "x"); !errdefs.IsResourceExhausted(err) {
		t.Errorf("write: %v, want ResourceExhausted", err)
	}
	if err := e.Destroy(t.Context(), []string{"tank/a"}, false); err != nil {
		t.Errorf("destroy: %v", err)
	}
}
