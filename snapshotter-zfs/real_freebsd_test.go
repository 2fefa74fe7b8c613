package zfs

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/containerd/containerd/v2/core/mount"

	"jailshim/snapshotter-zfs/engine"
	"jailshim/snapshotter-zfs/engine/ioctl"
	"jailshim/snapshotter-zfs/zfstest"
)

// realMounter is the mounter of the ZFS that tests have.
func realMounter() Mounter { return freebsdMounter{} }

// realOpen opens the engine of the ZFS that tests have.
func realOpen(ctx context.Context, pool string) (engine.Engine, error) {
	e, err := ioctl.Open(ctx, pool)
	if err != nil {
		return nil, err
	}
	return e, nil
}

// fail is not possible without a crash of the machine.
func (w *realWorld) fail(tb testing.TB) {
	tb.Helper()
	tb.Fatal("the kernel's ZFS can't be killed")
}

// within mounts what a container has for the time of f.
func (w *realWorld) within(tb testing.TB, mounts []mount.Mount, f func(folder string)) {
	tb.Helper()
	if m := mounts[0]; m.Type == "nullfs" {
		f(m.Source)
		return
	}
	must(tb, mount.WithTempMount(tb.Context(), mounts, func(folder string) error {
		f(folder)
		return nil
	}))
}

// mounted mounts what a snapshot is on a new folder until release is called.
func mounted(tb testing.TB, mounts []mount.Mount) (folder string, release func()) {
	tb.Helper()
	folder = tb.TempDir()
	must(tb, mount.All(mounts, folder))
	return folder, func() {
		tb.Helper()
		must(tb, mount.UnmountAll(folder, 0))
	}
}

// TestReal_CountsOfTxgs counts transaction groups on a pool that nobody else uses.
func TestReal_CountsOfTxgs(t *testing.T) {
	w := newRealWorld(t)
	c := w.config()
	c.FlushEvery = time.Hour
	s := open(t, c)
	count := func(what string, most uint64, f func()) {
		t.Helper()
		before := zfstest.TXG(t, w.pool)
		f()
		n := zfstest.TXG(t, w.pool) - before
		t.Logf("%s: %d", what, n)
		if n > most {
			t.Errorf("%s took %d txgs, want at most %d", what, n, most)
		}
	}
	var top string
	count("unpack 20 layers", 21, func() { top = image(t, w, s, "default", 20) })
	count("unpack 20 layers as a client", 21, func() { clientsImage(t, w, s, 20) })
	count("prepare", 1, func() { mustMounts(t)(s.Prepare(t.Context(), "c", top)) })
	count("view", 0, func() { mustMounts(t)(s.View(t.Context(), "v", top)) })
	count("mounts", 0, func() { mustMounts(t)(s.Mounts(t.Context(), "v")) })
	count("commit", 1, func() { must(t, s.Commit(t.Context(), "committed", "c")) })
	count("remove", 0, func() {
		must(t, s.Remove(t.Context(), "v"))
		must(t, s.Remove(t.Context(), "committed"))
	})
	count("100 prepares at once", 10, func() {
		var group sync.WaitGroup
		for i := range 100 {
			group.Go(func() {
				if _, err := s.Prepare(t.Context(), fmt.Sprint("c", i), top); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
	})
	for i := range 100 {
		must(t, s.Remove(t.Context(), fmt.Sprint("c", i)))
	}
	wantTidy(t, s)
}

// TestReal_MountsOfOneSnapshot has what a container runs on mounted a second time, and
// many views of one layer.
func TestReal_MountsOfOneSnapshot(t *testing.T) {
	w := newRealWorld(t)
	s := open(t, w.config())
	top := image(t, w, s, "default", 2)
	first, release := mounted(t, mustMounts(t)(s.Prepare(t.Context(), "c", top)))
	second, releaseSecond := mounted(t, mustMounts(t)(s.Mounts(t.Context(), "c")))
	w.write(t, []mount.Mount{{Type: "nullfs", Source: first}}, "new", "x")
	if w.read(t, []mount.Mount{{Type: "nullfs", Source: second}})["new"] != "x" {
		t.Error("the second mount doesn't show what was written to the first")
	}
	releaseSecond()
	release()
	for i := range 5 {
		folder, release := mounted(t, mustMounts(t)(s.View(t.Context(), fmt.Sprint("v", i), top)))
		defer release()
		wantFiles(t, "a view", w.read(t, []mount.Mount{{Type: "nullfs", Source: folder}}), layerFiles(2))
	}
}
