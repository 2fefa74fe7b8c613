package zfs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/errdefs"

	"jailshim/snapshotter-zfs/engine"
	"jailshim/snapshotter-zfs/engine/model"
)

// txgs counts the transaction groups of a function.
func txgs(w *modelWorld, f func()) uint64 {
	before := w.pool.Txgs()
	f()
	return w.pool.Txgs() - before
}

func TestSnapshotter_CountsOfTxgs(t *testing.T) {
	w := newModelWorld(t, allCapabilities)
	s := open(t, w.config())
	if n := txgs(w, func() { image(t, w, s, "default", 20) }); n != 21 {
		t.Errorf("20 layers took %d txgs, want 21: one each, and one for the volume", n)
	}
	if n := txgs(w, func() { clientsImage(t, w, s, 20) }); n != 21 {
		t.Errorf("20 layers that a client unpacks took %d txgs, want 21", n)
	}
	top := "default/41/" + chainID(20)
	for _, c := range []struct {
		what string
		want uint64
		do   func() error
	}{
		{"prepare", 1, func() error { _, err := s.Prepare(t.Context(), "c1", top); return err }},
		{"view", 0, func() error { _, err := s.View(t.Context(), "v1", top); return err }},
		{"mounts", 0, func() error { _, err := s.Mounts(t.Context(), "v1"); return err }},
		{"usage", 0, func() error { _, err := s.Usage(t.Context(), "c1"); return err }},
		{"commit", 1, func() error { return s.Commit(t.Context(), "committed", "c1") }},
		{"update", 0, func() error { _, err := s.Update(t.Context(), snapshots.Info{Name: "committed"}, "labels"); return err }},
		{"remove", 0, func() error { return errors.Join(s.Remove(t.Context(), "committed"), s.Remove(t.Context(), "v1")) }},
	} {
		if n := txgs(w, func() { must(t, c.do()) }); n != c.want {
			t.Errorf("%s took %d txgs, want %d", c.what, n, c.want)
		}
	}
}

// clientsImage unpacks layers as Image.Unpack of containerd's client does: without a
// label. No other namespace gets them.
func clientsImage(tb testing.TB, w world, s *Snapshotter, n int) string {
	tb.Helper()
	parent := ""
	for i := range n {
		parent = unpackWith(tb, w, s, "client", parent, i+1)
	}
	return parent
}

func TestSnapshotter_100PreparesAtOnce_ShareTxgs(t *testing.T) {
	w := newModelWorld(t, allCapabilities)
	s := open(t, w.config())
	top := image(t, w, s, "default", 2)
	var waiting, done sync.WaitGroup
	waiting.Add(100)
	w.pool.OnStep(func(op, _ string, at model.Step) bool {
		if op == engine.OpClone && at == model.Applied {
			waiting.Done()
		}
		return false
	})
	w.pool.HoldSync()
	n := txgs(w, func() {
		for i := range 100 {
			done.Go(func() {
				if _, err := s.Prepare(t.Context(), fmt.Sprint("c", i), top); err != nil {
					t.Error(err)
				}
			})
		}
		waiting.Wait()
		w.pool.ReleaseSync()
		done.Wait()
	})
	if n > 2 {
		t.Errorf("100 prepares took %d txgs", n)
	}
}

func TestPrepare_Container_GetsTheDatasetAndTheSecondWhatShowsIt(t *testing.T) {
	w := newModelWorld(t, allCapabilities)
	s := open(t, w.config())
	top := image(t, w, s, "default", 2)
	m := mustMounts(t)(s.Prepare(t.Context(), "c", top))
	if m[0].Type != "zfs" || m[0].ReadOnly() {
		t.Fatalf("mounts are %v", m)
	}
	wantFiles(t, "the container", w.read(t, m), layerFiles(2))
	release := w.use(t, m, "/rootfs")
	again := mustMounts(t)(s.Mounts(t.Context(), "c"))
	if again[0].Type != "nullfs" || again[0].Source != "/rootfs" || again[0].ReadOnly() {
		t.Errorf("mounts of a container that runs are %v", again)
	}
	release()
}

func TestView_ManyOfOne_AreReadOnlyAndUnmountedByCleanup(t *testing.T) {
	for name, caps := range map[string]engine.Capabilities{"snapshot mounts": allCapabilities, "clones": {Written: true}} {
		t.Run(name, func(t *testing.T) {
			w := newModelWorld(t, caps)
			s := open(t, w.config())
			top := image(t, w, s, "default", 2)
			for i := range 3 {
				m := mustMounts(t)(s.View(t.Context(), fmt.Sprint("v", i), top))
				if !m[0].ReadOnly() {
					t.Errorf("mounts of a view are %v", m)
				}
				wantFiles(t, "the view", w.read(t, m), layerFiles(2))
				m = mustMounts(t)(s.Mounts(t.Context(), fmt.Sprint("v", i)))
				if !m[0].ReadOnly() {
					t.Errorf("mounts of a view are %v", m)
				}
			}
			for i := range 3 {
				if err := s.Remove(t.Context(), top); !errdefs.IsFailedPrecondition(err) {
					t.Errorf("remove what views show: %v, want FailedPrecondition", err)
				}
				must(t, s.Remove(t.Context(), fmt.Sprint("v", i)))
			}
			wantTidy(t, s)
			if list, _ := w.List(); len(list) != 0 {
				t.Errorf("mounted are %v", list)
			}
		})
	}
}

func TestUnpack_Aborted_LeavesTheParentAsItWas(t *testing.T) {
	w := newModelWorld(t, allCapabilities)
	s := open(t, w.config())
	base := unpack(t, w, s, "default", "", 1)
	m := mustMounts(t)(s.Prepare(t.Context(), "default/9/extract-2-x "+chainID(2), base, unpackLabels(2)))
	w.write(t, m, "half", "x")
	must(t, s.Remove(t.Context(), "default/9/extract-2-x "+chainID(2)))
	top := unpack(t, w, s, "default", base, 2)
	wantFiles(t, "the layer", w.read(t, mustMounts(t)(s.View(t.Context(), "v", top))), layerFiles(2))
	if names := objects(t, s); len(names) != 3 {
		t.Errorf("two layers are %v, want one volume", names)
	}
}

func TestUnpack_TwoOnOneParent_GetTheirOwnVolumes(t *testing.T) {
	w := newModelWorld(t, allCapabilities)
	s := open(t, w.config())
	base := unpack(t, w, s, "default", "", 1)
	one := mustMounts(t)(s.Prepare(t.Context(), "a/1/extract-1-x y", base, unpackLabels(2)))
	two := mustMounts(t)(s.Prepare(t.Context(), "a/2/extract-2-x z", base, unpackLabels(3)))
	w.write(t, one, "one", "1")
	w.write(t, two, "two", "2")
	must(t, s.Commit(t.Context(), "one", "a/1/extract-1-x y"))
	must(t, s.Commit(t.Context(), "two", "a/2/extract-2-x z"))
	for name, file := range map[string]string{"one": "1", "two": "2"} {
		want := layerFiles(1)
		want[name] = file
		wantFiles(t, name, w.read(t, mustMounts(t)(s.View(t.Context(), "v"+name, name))), want)
	}
}

func TestCommit_OfWhatIsStillMounted_IsNotChangedAfterwards(t *testing.T) {
	w := newModelWorld(t, allCapabilities)
	s := open(t, w.config())
	base := unpack(t, w, s, "default", "", 1)
	m := mustMounts(t)(s.Prepare(t.Context(), "a/1/extract-1-x y", base, unpackLabels(2)))
	release := w.use(t, m, "/elsewhere")
	w.write(t, m, "layer2", "contents 2")
	must(t, s.Commit(t.Context(), "top", "a/1/extract-1-x y"))
	w.write(t, m, "late", "x")
	next := mustMounts(t)(s.Prepare(t.Context(), "a/2/extract-2-x y", "top", unpackLabels(3)))
	wantFiles(t, "the next layer", w.read(t, next), layerFiles(2))
	release()
	must(t, s.Remove(t.Context(), "a/2/extract-2-x y"))
	next = mustMounts(t)(s.Prepare(t.Context(), "a/3/extract-2-x y", "top", unpackLabels(3)))
	wantFiles(t, "the next layer", w.read(t, next), layerFiles(2))
}

func TestUsage_IsThatOfTheLayerAlone(t *testing.T) {
	w := newModelWorld(t, allCapabilities)
	s := open(t, w.config())
	top := image(t, w, s, "default", 3)
	u, err := s.Usage(t.Context(), top)
	must(t, err)
	if want := (snapshots.Usage{Size: int64(len("contents 3")), Inodes: 1}); u != want {
		t.Errorf("usage of a layer is %+v, want %+v", u, want)
	}
	m := mustMounts(t)(s.Prepare(t.Context(), "c", top))
	w.write(t, m, "new", "12345")
	w.pool.Sync()
	if u, err = s.Usage(t.Context(), "c"); err != nil || u.Size != 5 || u.Inodes < 0 {
		t.Errorf("usage of a container is %+v, %v, want 5 bytes", u, err)
	}
}

func TestPrepare_LabelsSetProperties(t *testing.T) {
	w := newModelWorld(t, allCapabilities)
	s := open(t, w.config())
	top := image(t, w, s, "default", 1)
	for _, c := range []struct {
		labels map[string]string
		want   map[string]string
		err    error
	}{
		{map[string]string{snapshots.LabelSnapshotMaxSize: "1048576"}, map[string]string{"refquota": "1048576"}, nil},
		{map[string]string{snapshots.LabelSnapshotMaxSize: "0"}, nil, nil},
		{map[string]string{snapshots.LabelSnapshotMaxSize: "-5"}, nil, nil},
		{map[string]string{snapshots.LabelSnapshotMaxSize: "big"}, nil, nil},
		{map[string]string{LabelPrefix + "compression": "gzip-9", LabelPrefix + "refquota": "2097152"}, map[string]string{"compression": "gzip-9", "refquota": "2097152"}, nil},
		{map[string]string{LabelPrefix + "sync": "disabled"}, nil, errdefs.ErrInvalidArgument},
		{map[string]string{LabelPrefix + "mountpoint": "/etc"}, nil, errdefs.ErrInvalidArgument},
		{map[string]string{LabelPrefix + "recordsize": "12"}, nil, errdefs.ErrInvalidArgument},
	} {
		before := len(objects(t, s))
		_, err := s.Prepare(t.Context(), "c", top, snapshots.WithLabels(c.labels))
		if !errors.Is(err, c.err) {
			t.Errorf("%v: %v, want %v", c.labels, err, c.err)
		}
		if err != nil {
			if n := len(objects(t, s)); n != before {
				t.Errorf("%v: refused, and left %d objects", c.labels, n-before)
			}
			continue
		}
		d, err := s.engine.Get(t.Context(), s.full(s.index.nodes["c"].Volume))
		must(t, err)
		for k := range engine.NativeProps {
			if d.Props[k] != c.want[k] {
				t.Errorf("%v: property %q is %q, want %q", c.labels, k, d.Props[k], c.want[k])
			}
		}
		must(t, s.Remove(t.Context(), "c"))
	}
	wantTidy(t, s)
}

func TestPrepare_LayerOfAnotherNamespace_IsAdopted(t *testing.T) {
	w := newModelWorld(t, allCapabilities)
	s := open(t, w.config())
	image(t, w, s, "one", 2)
	parent := ""
	for i := range 2 {
		_, err := s.Prepare(t.Context(), fmt.Sprintf("two/%d/extract-1-x %s", i, chainID(i+1)), parent, unpackLabels(i+1))
		if !errdefs.IsAlreadyExists(err) {
			t.Fatalf("layer %d: %v, want AlreadyExists", i+1, err)
		}
		parent = found(t, s, chainID(i+1), parent)
	}
	if _, err := s.Prepare(t.Context(), "two/9/extract-1-x y", "", unpackLabels(2)); err != nil {
		t.Errorf("the same layer on another parent: %v", err)
	}
}

// found looks for a layer as containerd does after AlreadyExists.
func found(t *testing.T, s *Snapshotter, ref, parent string) string {
	t.Helper()
	name := ""
	must(t, s.Walk(t.Context(), func(_ context.Context, i snapshots.Info) error {
		if i.Kind == snapshots.KindCommitted {
			name = i.Name
		}
		return nil
	}, fmt.Sprintf("labels.%q==%s,parent==%q", snapshots.LabelSnapshotRef, ref, parent)))
	if name == "" {
		t.Fatalf("layer %s on %q is not found", ref, parent)
	}
	return name
}

func TestPrepare_LayerThatWasRemoved_ComesBack(t *testing.T) {
	w := newModelWorld(t, allCapabilities)
	c := w.config()
	c.CacheSize = 1 << 20
	s := open(t, c)
	image(t, w, s, "one", 3)
	for i := 3; i > 0; i-- {
		must(t, s.Remove(t.Context(), fmt.Sprintf("one/%d/%s", 2*i+1, chainID(i))))
	}
	wantTidy(t, s)
	if all := walkAll(t, s); len(all) != 0 {
		t.Fatalf("after all is removed there is %v", all)
	}
	must(t, s.Close())
	s = open(t, c) // what is kept survives a restart
	n := txgs(w, func() {
		parent := ""
		for i := range 3 {
			_, err := s.Prepare(t.Context(), fmt.Sprintf("two/%d/extract-1-x %s", i, chainID(i+1)), parent, unpackLabels(i+1))
			if !errdefs.IsAlreadyExists(err) {
				t.Fatalf("layer %d: %v, want AlreadyExists", i+1, err)
			}
			parent = found(t, s, chainID(i+1), parent)
		}
		wantFiles(t, "the image", w.read(t, mustMounts(t)(s.View(t.Context(), "v", parent))), layerFiles(3))
	})
	if n != 0 {
		t.Errorf("it took %d txgs", n)
	}
	wantTidy(t, s)
}

func TestCleanup_KeepsNoMoreThanTheCacheSize(t *testing.T) {
	w := newModelWorld(t, allCapabilities)
	c := w.config()
	c.CacheSize = 25 // two layers
	s := open(t, c)
	image(t, w, s, "one", 4)
	for i := 4; i > 0; i-- {
		must(t, s.Remove(t.Context(), fmt.Sprintf("one/%d/%s", 2*i+1, chainID(i))))
	}
	wantTidy(t, s)
	st, err := s.Status(t.Context())
	must(t, err)
	if st.Kept != 2 || st.KeptBytes > 25 {
		t.Errorf("kept are %d layers, %d bytes", st.Kept, st.KeptBytes)
	}
	if _, err := s.Prepare(t.Context(), "two/1/extract-1-x y", "", unpackLabels(1)); !errdefs.IsAlreadyExists(err) {
		t.Errorf("the lowest layer: %v, want AlreadyExists", err)
	}
}

func TestNew_DatasetWithoutMark_IsRefusedWithTheCommand(t *testing.T) {
	w := newModelWorld(t, allCapabilities)
	c := w.config()
	for dataset, want := range map[string]string{"tank": MarkRoot, "tank/none": "zfs create"} {
		c.Dataset, c.State = dataset, t.TempDir()
		_, err := New(t.Context(), c)
		if !errdefs.IsFailedPrecondition(err) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), createCommand(dataset)) {
			t.Errorf("dataset %q: %v", dataset, err)
		}
	}
	if _, err := model.New(w.pool).Get(t.Context(), "tank/l"); !errdefs.IsNotFound(err) {
		t.Errorf("a folder was made in a dataset that is not ours: %v", err)
	}
}

func TestNew_PoolIsMissing_CallsAreUnavailableUntilItIsThere(t *testing.T) {
	w := newModelWorld(t, allCapabilities)
	w.pool.SetExported(true)
	s := open(t, w.config())
	if _, err := s.Prepare(t.Context(), "c", ""); !errdefs.IsUnavailable(err) {
		t.Errorf("prepare: %v, want Unavailable", err)
	}
	if _, err := s.Stat(t.Context(), "c"); !errdefs.IsUnavailable(err) {
		t.Errorf("stat in a new database: %v, want Unavailable", err)
	}
	st, err := s.Status(t.Context())
	if err != nil || st.Ready || st.Problem == "" {
		t.Errorf("status is %+v, %v", st, err)
	}
	w.pool.SetExported(false)
	mustMounts(t)(s.Prepare(t.Context(), "c", ""))
	w.pool.SetExported(true)
	if _, err := s.Stat(t.Context(), "c"); err != nil {
		t.Errorf("stat while the pool is away: %v", err)
	}
	if err := s.Commit(t.Context(), "d", "c"); !errdefs.IsUnavailable(err) {
		t.Errorf("commit: %v, want Unavailable", err)
	}
	w.pool.SetExported(false)
	must(t, s.Commit(t.Context(), "d", "c"))
}

func TestFullPool_IsResourceExhaustedAndNothingIsHalfMade(t *testing.T) {
	w := newModelWorld(t, allCapabilities)
	s := open(t, w.config())
	top := image(t, w, s, "default", 1)
	mustMounts(t)(s.Prepare(t.Context(), "c", top))
	before := objects(t, s)
	w.pool.Resize(1)
	if _, err := s.Prepare(t.Context(), "d", top); !errdefs.IsResourceExhausted(err) {
		t.Errorf("prepare: %v, want ResourceExhausted", err)
	}
	if err := s.Commit(t.Context(), "e", "c"); !errdefs.IsResourceExhausted(err) {
		t.Errorf("commit: %v, want ResourceExhausted", err)
	}
	if after := objects(t, s); !slices.Equal(before, after) {
		t.Errorf("there is %v, before there was %v", after, before)
	}
	for _, key := range []string{"d", "e"} {
		if _, err := s.Stat(t.Context(), key); !errdefs.IsNotFound(err) {
			t.Errorf("%s: %v, want NotFound", key, err)
		}
	}
	must(t, s.Remove(t.Context(), "c"))
	wantTidy(t, s)
	w.pool.Resize(1 << 30)
	mustMounts(t)(s.Prepare(t.Context(), "d", top))
}

func TestRemove_OfWhatIsMounted_IsDestroyedOnceItIsNot(t *testing.T) {
	w := newModelWorld(t, allCapabilities)
	s := open(t, w.config())
	top := image(t, w, s, "default", 1)
	m := mustMounts(t)(s.Prepare(t.Context(), "c", top))
	volume := s.index.nodes["c"].Volume
	release := w.use(t, m, "/rootfs")
	must(t, s.Remove(t.Context(), "c"))
	must(t, s.Cleanup(t.Context()))
	if !slices.Contains(objects(t, s), volume) {
		t.Error("what is mounted was destroyed")
	}
	mustMounts(t)(s.Prepare(t.Context(), "c", top)) // its key is free
	release()
	must(t, s.Remove(t.Context(), "c"))
	must(t, s.Remove(t.Context(), top))
	wantTidy(t, s)
	if left := objects(t, s); len(left) != 0 {
		t.Errorf("left over are %v", left)
	}
}

func TestImport_IsUsedAndNeverDestroyed(t *testing.T) {
	w := newModelWorld(t, allCapabilities)
	s := open(t, w.config())
	e := model.New(w.pool)
	must(t, e.Create(t.Context(), "tank/template", nil))
	must(t, w.pool.WriteFile("tank/template", "base", "x"))
	must(t, e.Snapshot(t.Context(), []string{"tank/template@base"}, nil))
	must(t, s.Import(t.Context(), "tank/template@base", "import/base", chainID(1)))
	for _, c := range []struct {
		snapshot, name string
		err            error
	}{
		{"tank/template@base", "import/base", errdefs.ErrAlreadyExists},
		{"tank/template@none", "x", errdefs.ErrNotFound},
		{"tank/template", "x", errdefs.ErrInvalidArgument},
		{modelRoot + "/l@x", "x", errdefs.ErrInvalidArgument},
		{"pool/a@b", "x", errdefs.ErrInvalidArgument},
		{"tank/template@base", "", errdefs.ErrInvalidArgument},
	} {
		if err := s.Import(t.Context(), c.snapshot, c.name, ""); !errors.Is(err, c.err) {
			t.Errorf("import %q as %q: %v, want %v", c.snapshot, c.name, err, c.err)
		}
	}
	wantFiles(t, "the view", w.read(t, mustMounts(t)(s.View(t.Context(), "v", "import/base"))), map[string]string{"base": "x"})
	wantFiles(t, "the container", w.read(t, mustMounts(t)(s.Prepare(t.Context(), "c", "import/base"))), map[string]string{"base": "x"})
	if _, err := s.Prepare(t.Context(), "a/1/extract-1-x y", "", unpackLabels(1)); !errdefs.IsAlreadyExists(err) {
		t.Errorf("a layer with its chain id: %v, want AlreadyExists", err)
	}
	for _, key := range []string{"v", "c", "import/base"} {
		must(t, s.Remove(t.Context(), key))
	}
	wantTidy(t, s)
	if _, err := e.Get(t.Context(), "tank/template@base"); err != nil {
		t.Errorf("the imported snapshot: %v", err)
	}
	// containerd's garbage collection removes what it doesn't know; it comes back.
	if _, err := s.Prepare(t.Context(), "a/1/extract-1-x y", "", unpackLabels(1)); !errdefs.IsAlreadyExists(err) {
		t.Errorf("a layer with its chain id, after it was removed: %v, want AlreadyExists", err)
	}
}

func TestCheck_FindsAndRepairs(t *testing.T) {
	w := newModelWorld(t, allCapabilities)
	s := open(t, w.config())
	top := image(t, w, s, "default", 1)
	mustMounts(t)(s.Prepare(t.Context(), "c", top))
	mustMounts(t)(s.Prepare(t.Context(), "gone", top))
	e := model.New(w.pool)
	must(t, e.Destroy(t.Context(), []string{s.full(s.index.nodes["gone"].Volume)}, false))
	must(t, e.Create(t.Context(), s.full("c/zz-9"), nil))
	must(t, e.Create(t.Context(), s.full("c/backup"), nil))
	must(t, e.Create(t.Context(), s.full("c/0Z-9"), nil)) // looks like one of ours
	for _, repair := range []bool{false, true} {
		r, err := s.Check(t.Context(), repair)
		must(t, err)
		if !slices.Equal(r.LeftOver, []string{s.full("c/zz-9")}) || !slices.Equal(r.Lost, []string{"gone"}) || len(r.Foreign) != 2 {
			t.Errorf("a check finds %+v", r)
		}
	}
	wantTidy(t, s)
	if _, err := e.Get(t.Context(), s.full("c/backup")); err != nil {
		t.Errorf("a dataset that is not ours: %v", err)
	}
	if err := s.Remove(t.Context(), "gone"); !errdefs.IsNotFound(err) {
		t.Errorf("remove what is gone: %v, want NotFound", err)
	}
}

func TestRebuild_FromZFS_WhenTheDatabaseIsLost(t *testing.T) {
	for name, caps := range map[string]engine.Capabilities{"2.4": allCapabilities, "older": {Programs: true, Written: true, SnapshotMounts: true}} {
		t.Run(name, func(t *testing.T) {
			w := newModelWorld(t, caps)
			s := open(t, w.config())
			top := image(t, w, s, "default", 3)
			m := mustMounts(t)(s.Prepare(t.Context(), "c", top, snapshots.WithLabels(map[string]string{"a": strings.Repeat("é", 9000)})))
			w.write(t, m, "mine", "x")
			m = mustMounts(t)(s.Prepare(t.Context(), "d", top))
			w.write(t, m, "layer4", "contents 4")
			must(t, s.Commit(t.Context(), "committed", "d"))
			_, err := s.Update(t.Context(), snapshots.Info{Name: top, Labels: map[string]string{"changed": "1"}})
			must(t, err)
			want := walkAll(t, s)
			must(t, s.Close())
			before := objects(t, &Snapshotter{config: s.config, engine: model.New(w.pool)})
			w.fail(t)
			removeDatabase(t, w)
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
			wantTidy(t, s)
			if after := objects(t, s); !slices.Equal(before, after) {
				t.Errorf("there is %v, was %v", after, before)
			}
			wantFiles(t, "the image", w.read(t, mustMounts(t)(s.View(t.Context(), "v", "committed"))), layerFiles(4))
			u, err := s.Usage(t.Context(), top)
			if err != nil || u.Size != int64(len("contents 3")) {
				t.Errorf("usage is %+v, %v", u, err)
			}
			mustMounts(t)(s.Prepare(t.Context(), "new", "committed"))
		})
	}
}

// halfEngine makes clones, and says that it doesn't know.
type halfEngine struct{ engine.Engine }

func (e halfEngine) Clone(ctx context.Context, snapshot, name string, props map[string]string) error {
	if err := e.Engine.Clone(ctx, snapshot, name, props); err != nil {
		return err
	}
	return &engine.Error{Op: engine.OpClone, Object: name, Detail: "the program ended", Class: errdefs.ErrInternal}
}

func TestPrepare_CloneOfUnknownOutcome_LeavesNothing(t *testing.T) {
	w := newModelWorld(t, allCapabilities)
	s := open(t, w.config())
	top := image(t, w, s, "default", 1)
	before := objects(t, s)
	s.engine = halfEngine{s.engine}
	if _, err := s.Prepare(t.Context(), "c", top); !errdefs.IsInternal(err) {
		t.Errorf("%v, want Internal", err)
	}
	if after := objects(t, s); !slices.Equal(before, after) {
		t.Errorf("there is %v, before there was %v", after, before)
	}
	wantTidy(t, s)
}
