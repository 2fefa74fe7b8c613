package zfs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/containerd/containerd/v2/core/mount"
	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/errdefs"

	"jailshim/snapshotter-zfs/engine"
	"jailshim/snapshotter-zfs/zfstest"
)

// expected is what a snapshot must be, by the rules of containerd's interface alone.
type expected struct {
	kind   snapshots.Kind
	parent string
	label  string
	files  map[string]string
}

// walker does random operations in a world, and knows what must come of each.
type walker struct {
	tb    testing.TB
	rnd   *rand.Rand
	w     world
	s     *Snapshotter
	all   map[string]*expected
	steps int
}

func newWalker(tb testing.TB, rnd *rand.Rand, w world) *walker {
	tb.Helper()
	r := &walker{tb: tb, rnd: rnd, w: w, all: map[string]*expected{}}
	r.open()
	return r
}

func (r *walker) open() {
	r.tb.Helper()
	s, err := New(context.Background(), r.w.config())
	must(r.tb, err)
	r.s = s
}

// key returns a key that may exist or not: there are few.
func (r *walker) key() string { return fmt.Sprint("k", r.rnd.IntN(12)) }

// parent returns a snapshot to base one on, mostly one that can be.
func (r *walker) parent() string {
	keys := slices.Sorted(maps.Keys(r.all))
	keys = slices.DeleteFunc(keys, func(k string) bool { return r.all[k].kind != snapshots.KindCommitted })
	switch n := r.rnd.IntN(10); {
	case n == 0:
		return r.key()
	case n < 3 || len(keys) == 0:
		return ""
	default:
		return keys[r.rnd.IntN(len(keys))]
	}
}

// step does one operation.
func (r *walker) step() {
	r.tb.Helper()
	r.steps++
	switch n := r.rnd.IntN(100); {
	case n < 30:
		r.create(snapshots.KindActive)
	case n < 40:
		r.create(snapshots.KindView)
	case n < 60:
		r.commit()
	case n < 75:
		r.remove()
	case n < 85:
		r.look()
	case n < 90:
		r.update()
	case n < 96:
		must(r.tb, r.s.Cleanup(r.tb.Context()))
	default:
		must(r.tb, r.s.Close())
		r.open()
	}
}

// want checks an error's class.
func (r *walker) want(what string, err, class error) {
	r.tb.Helper()
	if !errors.Is(err, class) || (err == nil) != (class == nil) {
		r.tb.Fatalf("step %d: %s: %v, want %v", r.steps, what, err, class)
	}
}

func (r *walker) create(kind snapshots.Kind) {
	r.tb.Helper()
	key, parent := r.key(), r.parent()
	e := &expected{kind: kind, parent: parent, files: map[string]string{}}
	var class error
	p := r.all[parent]
	switch {
	case r.all[key] != nil:
		class = errdefs.ErrAlreadyExists
	case parent == "":
	case p == nil:
		class = errdefs.ErrNotFound
	case p.kind != snapshots.KindCommitted:
		class = errdefs.ErrInvalidArgument
	default:
		e.files = maps.Clone(p.files)
	}
	var m []mount.Mount
	var err error
	if kind == snapshots.KindView {
		m, err = r.s.View(r.tb.Context(), key, parent)
	} else {
		var opts []snapshots.Opt
		if r.rnd.IntN(2) == 0 {
			// A layer that is unpacked; no two are the same.
			opts = append(opts, snapshots.WithLabels(map[string]string{snapshots.LabelSnapshotRef: fmt.Sprint("ref", r.steps)}))
			if r.all[key] == nil {
				key = fmt.Sprintf("extract-%d %s", r.steps, key)
			}
		}
		m, err = r.s.Prepare(r.tb.Context(), key, parent, opts...)
	}
	r.want(fmt.Sprintf("make %q on %q", key, parent), err, class)
	if err != nil {
		return
	}
	r.all[key] = e
	wantFiles(r.tb, key, r.w.read(r.tb, m), e.files)
	if kind == snapshots.KindActive {
		path, contents := fmt.Sprint("f", r.rnd.IntN(5)), fmt.Sprint("step ", r.steps)
		r.w.write(r.tb, m, path, contents)
		e.files[path] = contents
	}
}

func (r *walker) any() string {
	keys := slices.Sorted(maps.Keys(r.all))
	if len(keys) == 0 || r.rnd.IntN(10) == 0 {
		return r.key()
	}
	return keys[r.rnd.IntN(len(keys))]
}

func (r *walker) commit() {
	r.tb.Helper()
	key, name := r.any(), r.key()
	var class error
	e := r.all[key]
	switch {
	case e == nil:
		class = errdefs.ErrNotFound
	case r.all[name] != nil:
		class = errdefs.ErrAlreadyExists
	case e.kind != snapshots.KindActive:
		class = errdefs.ErrFailedPrecondition
	}
	err := r.s.Commit(r.tb.Context(), name, key)
	r.want(fmt.Sprintf("commit %q as %q", key, name), err, class)
	if err == nil {
		delete(r.all, key)
		r.all[name] = &expected{kind: snapshots.KindCommitted, parent: e.parent, files: e.files}
	}
}

func (r *walker) remove() {
	r.tb.Helper()
	key := r.any()
	var class error
	if r.all[key] == nil {
		class = errdefs.ErrNotFound
	}
	for _, e := range r.all {
		if e.parent == key {
			class = errdefs.ErrFailedPrecondition
		}
	}
	err := r.s.Remove(r.tb.Context(), key)
	r.want(fmt.Sprintf("remove %q", key), err, class)
	if err == nil {
		delete(r.all, key)
	}
}

func (r *walker) update() {
	r.tb.Helper()
	key := r.any()
	e := r.all[key]
	var class error
	if e == nil {
		class = errdefs.ErrNotFound
	}
	label := fmt.Sprint("v", r.steps)
	_, err := r.s.Update(r.tb.Context(), snapshots.Info{Name: key, Labels: map[string]string{"test": label}}, "labels.test")
	r.want(fmt.Sprintf("update %q", key), err, class)
	if err == nil {
		e.label = label
	}
}

// look compares what can be seen of one snapshot.
func (r *walker) look() {
	r.tb.Helper()
	key := r.any()
	e := r.all[key]
	m, err := r.s.Mounts(r.tb.Context(), key)
	switch {
	case e == nil:
		r.want("mounts", err, errdefs.ErrNotFound)
	case e.kind == snapshots.KindCommitted:
		r.want("mounts", err, errdefs.ErrFailedPrecondition)
	default:
		r.want("mounts", err, nil)
		wantFiles(r.tb, key, r.w.read(r.tb, m), e.files)
	}
}

// compare compares all that Walk tells.
func (r *walker) compare() {
	r.tb.Helper()
	got := map[string]expected{}
	for key, i := range walkAll(r.tb, r.s) {
		got[key] = expected{kind: i.Kind, parent: i.Parent, label: i.Labels["test"]}
	}
	for key, e := range r.all {
		g, ok := got[key]
		if !ok || g.kind != e.kind || g.parent != e.parent || g.label != e.label {
			r.tb.Errorf("%q is %+v (%v), want %+v", key, g, ok, e)
		}
	}
	if len(got) != len(r.all) {
		r.tb.Errorf("there are %d snapshots, want %d", len(got), len(r.all))
	}
}

// end compares all, removes all, and sees that nothing is left.
func (r *walker) end() {
	r.tb.Helper()
	r.compare()
	for _, key := range slices.Sorted(maps.Keys(r.all)) {
		if e := r.all[key]; e.kind == snapshots.KindCommitted {
			view := "view of " + key
			m, err := r.s.View(r.tb.Context(), view, key)
			must(r.tb, err)
			wantFiles(r.tb, key, r.w.read(r.tb, m), e.files)
			must(r.tb, r.s.Remove(r.tb.Context(), view))
		}
	}
	wantTidy(r.tb, r.s)
	newScript().verifyNew(r.tb, r.w, r.s)
	must(r.tb, r.s.Close())
}

const (
	walksVar = "ZFS_TEST_WALKS" // how many random walks in the model
	stepsVar = "ZFS_TEST_STEPS" // how many steps on a real ZFS
)

func TestRandom_InTheModel(t *testing.T) {
	for name, caps := range map[string]engine.Capabilities{"2.4": allCapabilities, "zfs-fuse": {}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rnd := newRand(t)
			for range number(t, walksVar, 5) {
				r := newWalker(t, rnd, newModelWorld(t, caps))
				for range 150 {
					r.step()
				}
				r.end()
			}
		})
	}
}

func TestRandom_OnARealZFS(t *testing.T) {
	zfstest.Require(t)
	r := newWalker(t, newRand(t), newRealWorld(t))
	for range number(t, stepsVar, 80) {
		r.step()
	}
	r.end()
}
