package zfs

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/containerd/containerd/v2/core/mount"
	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/containerd/v2/core/snapshots/testsuite"

	"jailshim/snapshotter-zfs/engine"
	"jailshim/snapshotter-zfs/zfstest"
)

// realWorld is a pool of zfstest's.
type realWorld struct {
	pool  string
	root  string
	state string
}

func newRealWorld(tb testing.TB) *realWorld {
	tb.Helper()
	p := zfstest.NewPool(tb, 2*zfstest.PoolSize)
	w := &realWorld{pool: p.Name, root: newRoot(tb, p), state: tb.TempDir()}
	tb.Cleanup(func() { unmountBelow(tb, w.state) })
	return w
}

var roots atomic.Int64

// newRoot makes a marked dataset, which goes with the pool.
func newRoot(tb testing.TB, p *zfstest.Pool) string {
	tb.Helper()
	root := p.Create(tb, fmt.Sprint("root", roots.Add(1)))
	if out, err := exec.Command("zfs", "set", MarkRoot+"="+MarkValue, root).CombinedOutput(); err != nil {
		tb.Fatalf("%v: %s", err, out)
	}
	return root
}

func (w *realWorld) config() Config {
	return Config{
		Dataset: w.root,
		State:   w.state,
		Open:    func(ctx context.Context) (engine.Engine, error) { return realOpen(ctx, w.pool) },
		Mounter: realMounter(),
		Log:     slog.Default(),
	}
}

func (w *realWorld) write(tb testing.TB, mounts []mount.Mount, path, contents string) {
	tb.Helper()
	w.within(tb, mounts, func(folder string) {
		must(tb, os.WriteFile(filepath.Join(folder, path), []byte(contents), 0o600))
	})
}

func (w *realWorld) read(tb testing.TB, mounts []mount.Mount) map[string]string {
	tb.Helper()
	files := map[string]string{}
	w.within(tb, mounts, func(folder string) {
		must(tb, filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			b, err := os.ReadFile(path)
			rel, _ := filepath.Rel(folder, path)
			files[rel] = string(b)
			return err
		}))
	})
	return files
}

// unmountBelow unmounts all below a folder.
func unmountBelow(tb testing.TB, folder string) {
	tb.Helper()
	list, err := realMounter().List()
	must(tb, err)
	for i := len(list) - 1; i >= 0; i-- {
		if within(list[i].Target, folder) {
			if err := mount.Unmount(list[i].Target, 0); err != nil {
				tb.Error(err)
			}
		}
	}
}

// TestSuite is containerd's own, unchanged.
func TestSuite(t *testing.T) {
	zfstest.Require(t)
	p := zfstest.NewPool(t, 8*zfstest.PoolSize)
	testsuite.SnapshotterSuite(t, "openzfs", func(ctx context.Context, root string) (snapshots.Snapshotter, func() error, error) {
		w := &realWorld{pool: p.Name, root: newRoot(t, p), state: filepath.Join(root, "state")}
		s, err := New(ctx, w.config())
		if err != nil {
			return nil, nil, err
		}
		return s, func() error {
			err := s.Close()
			unmountBelow(t, filepath.Dir(root))
			return err
		}, nil
	})
}

func TestReal_ImageAndContainer(t *testing.T) {
	w := newRealWorld(t)
	s := open(t, w.config())
	top := image(t, w, s, "default", 3)
	m := mustMounts(t)(s.Prepare(t.Context(), "c", top))
	wantFiles(t, "the container", w.read(t, m), layerFiles(3))
	w.write(t, m, "mine", "x")
	m = mustMounts(t)(s.View(t.Context(), "v", top))
	wantFiles(t, "the view", w.read(t, m), layerFiles(3))
	for _, key := range []string{"v", "c", top} {
		must(t, s.Remove(t.Context(), key))
	}
	wantTidy(t, s)
}

// TestReal_DatabaseLost_IsMadeAgain removes the database's file.
func TestReal_DatabaseLost_IsMadeAgain(t *testing.T) {
	w := newRealWorld(t)
	s := open(t, w.config())
	top := image(t, w, s, "default", 3)
	m := mustMounts(t)(s.Prepare(t.Context(), "c", top))
	w.write(t, m, "mine", "x")
	must(t, s.Commit(t.Context(), "saved", "c"))
	mustMounts(t)(s.Prepare(t.Context(), "d", "saved"))
	want := walkAll(t, s)
	must(t, s.Close())
	must(t, os.Remove(filepath.Join(w.state, "records.db")))
	s = open(t, w.config())
	got := walkAll(t, s)
	for key := range want {
		if g, w := fmt.Sprint(got[key]), fmt.Sprint(want[key]); g != w {
			t.Errorf("%q is\n%s, was\n%s", key, g, w)
		}
	}
	if len(got) != len(want) {
		t.Errorf("there are %d snapshots, were %d", len(got), len(want))
	}
	files := layerFiles(3)
	files["mine"] = "x"
	wantFiles(t, "the container", w.read(t, mustMounts(t)(s.Mounts(t.Context(), "d"))), files)
	wantTidy(t, s)
}
