package zfs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/containerd/containerd/v2/core/snapshots"

	"jailshim/snapshotter-zfs/engine"
	"jailshim/snapshotter-zfs/engine/model"
)

// script is a life with each operation in it. It notes what has been acknowledged.
type script struct {
	committed map[string]map[string]string // files of committed snapshots, by name
	removing  map[string]bool              // those whose removal began
	done      bool
	tell      func(said) // if set, gets the same
}

// hear notes what is acknowledged.
func (sc *script) hear(s said) {
	if sc.tell != nil {
		sc.tell(s)
	}
	if s.Committed != "" {
		sc.committed[s.Committed] = maps.Clone(s.Files)
	}
	if s.Removing != "" {
		sc.removing[s.Removing] = true
	}
	sc.done = sc.done || s.Done
}

func (sc *script) run(ctx context.Context, tb testing.TB, w world, s *Snapshotter) (err error) {
	tb.Helper()
	defer func() {
		// Writing to what is gone ends the script, too.
		if r := recover(); r != nil {
			gone, ok := r.(error)
			if !ok || !errors.Is(gone, errZFSGone) {
				panic(r)
			}
			err = gone
		}
	}()
	commit := func(name, key string, files map[string]string, opts ...snapshots.Opt) error {
		if err := s.Commit(ctx, name, key, opts...); err != nil {
			return err
		}
		sc.hear(said{Committed: name, Files: files})
		return nil
	}
	parent, files := "", map[string]string{}
	for i := 1; i <= 3; i++ {
		key := fmt.Sprintf("ns/%d/extract-1-x %s", 2*i, chainID(i))
		m, err := s.Prepare(ctx, key, parent, unpackLabels(i))
		if err != nil {
			return err
		}
		path, contents := fmt.Sprint("layer", i), fmt.Sprint("contents ", i)
		w.write(tb, m, path, contents)
		files[path] = contents
		name := fmt.Sprintf("ns/%d/%s", 2*i+1, chainID(i))
		if err := commit(name, key, files, unpackLabels(i)); err != nil {
			return err
		}
		parent = name
	}
	top, base := parent, "ns/3/"+chainID(1)
	for _, step := range []func() error{
		func() error { _, err := s.View(ctx, "view", top); return err },
		func() error {
			m, err := s.Prepare(ctx, "container", top)
			if err != nil {
				return err
			}
			w.write(tb, m, "mine", "x")
			files["mine"] = "x"
			return commit("saved", "container", files)
		},
		func() error {
			_, err := s.Prepare(ctx, "limited", base, snapshots.WithLabels(map[string]string{snapshots.LabelSnapshotMaxSize: "1048576"}))
			return err
		},
		func() error {
			_, err := s.Prepare(ctx, "ns/20/extract-9-x y", top, unpackLabels(9))
			return err
		},
		func() error { return s.Remove(ctx, "ns/20/extract-9-x y") },
		func() error { _, err := s.Update(ctx, snapshots.Info{Name: top}, "labels"); return err },
		func() error { return s.Remove(ctx, "view") },
		func() error { return s.Remove(ctx, "limited") },
		func() error { sc.hear(said{Removing: "saved"}); return s.Remove(ctx, "saved") },
		func() error { sc.hear(said{Removing: top}); return s.Remove(ctx, top) },
		func() error { return s.Cleanup(ctx) },
		func() error { s.flush(ctx); return nil },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	sc.hear(said{Done: true})
	return nil
}

func newScript() *script {
	return &script{committed: map[string]map[string]string{}, removing: map[string]bool{}}
}

// verify checks what a crash may not change, with a new snapshotter.
func (sc *script) verify(tb testing.TB, w world) {
	tb.Helper()
	s, err := New(tb.Context(), w.config())
	must(tb, err)
	defer func() { must(tb, s.Close()) }()
	n := 0
	for name, files := range sc.committed {
		info, err := s.Stat(tb.Context(), name)
		if err != nil && sc.removing[name] {
			continue
		}
		if err != nil || info.Kind != snapshots.KindCommitted {
			tb.Errorf("committed snapshot %q: %v, %v", name, info.Kind, err)
			continue
		}
		n++
		key := fmt.Sprint("verify", n)
		m, err := s.View(tb.Context(), key, name)
		must(tb, err)
		wantFiles(tb, name, w.read(tb, m), files)
		must(tb, s.Remove(tb.Context(), key))
	}
	for key, info := range walkAll(tb, s) {
		if info.Kind == snapshots.KindActive {
			_, err := s.Mounts(tb.Context(), key)
			must(tb, err)
		}
	}
	wantTidy(tb, s)
	sc.verifyNew(tb, w, s)
}

// verifyNew checks that what can be done in a new life can be done in this one, and that
// all can be removed.
func (sc *script) verifyNew(tb testing.TB, w world, s *Snapshotter) {
	tb.Helper()
	m, err := s.Prepare(tb.Context(), "after", "")
	must(tb, err)
	w.write(tb, m, "file", "x")
	must(tb, s.Commit(tb.Context(), "after-committed", "after"))
	for left := walkAll(tb, s); len(left) > 0; left = walkAll(tb, s) {
		before := len(left)
		for key := range left {
			if err := s.Remove(tb.Context(), key); err == nil {
				delete(left, key)
			}
		}
		if len(left) == before {
			tb.Fatalf("can't be removed: %v", left)
		}
	}
	wantTidy(tb, s)
	if names := objects(tb, s); len(names) != 0 {
		tb.Errorf("after all is removed there is %v", names)
	}
}

// death ends a process at a point that it passes, so to speak: the goroutine that comes
// there ends, and so does each that comes to another one later.
type death struct {
	kill func() // ends a real process; nil in the model

	mu     sync.Mutex // guards the fields below
	point  int
	passed int
	dead   bool
}

// reach tells whether this is the point.
func (d *death) reach() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.passed++
	d.dead = d.dead || d.passed-1 == d.point
	if d.dead && d.kill != nil {
		d.kill()
	}
	return d.dead
}

func (d *death) pass() {
	if d.reach() {
		runtime.Goexit()
	}
}

func (d *death) isDead() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.dead
}

// mortal is an engine after whose changes there is a point.
type mortal struct {
	engine.Engine
	death *death
}

func (m mortal) Create(ctx context.Context, name string, props map[string]string) error {
	defer m.death.pass()
	return m.Engine.Create(ctx, name, props)
}

func (m mortal) Clone(ctx context.Context, snapshot, name string, props map[string]string) error {
	defer m.death.pass()
	return m.Engine.Clone(ctx, snapshot, name, props)
}

func (m mortal) Snapshot(ctx context.Context, names []string, props map[string]string) error {
	defer m.death.pass()
	return m.Engine.Snapshot(ctx, names, props)
}

func (m mortal) Destroy(ctx context.Context, names []string, deferred bool) error {
	defer m.death.pass()
	return m.Engine.Destroy(ctx, names, deferred)
}

func (m mortal) Rollback(ctx context.Context, dataset, snapshot string) error {
	defer m.death.pass()
	return m.Engine.Rollback(ctx, dataset, snapshot)
}

func (m mortal) SetProps(ctx context.Context, name string, props map[string]string) error {
	defer m.death.pass()
	return m.Engine.SetProps(ctx, name, props)
}

// mortalConfig is a world's, with points before each step and after each change.
func mortalConfig(w world, d *death) Config {
	c := w.config()
	c.FlushEvery = time.Hour
	c.onStep = func(string) { d.pass() }
	open := c.Open
	c.Open = func(ctx context.Context) (engine.Engine, error) {
		e, err := open(ctx)
		if err != nil {
			return nil, err
		}
		return mortal{e, d}, nil
	}
	return c
}

// TestCrash_InTheModel dies at each step of each operation: with the process alone
// (what ZFS did stays), and with the machine (what is not on disk is lost).
func TestCrash_InTheModel(t *testing.T) {
	for name, caps := range map[string]engine.Capabilities{"2.4": allCapabilities, "zfs-fuse": {}} {
		for _, power := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/power=%v", name, power), func(t *testing.T) {
				t.Parallel()
				n := 0
				for ; !t.Failed(); n++ {
					w := newModelWorld(t, caps)
					sc, died := dieAt(t, w, n, power)
					if !died {
						break
					}
					sc.verify(t, w)
				}
				if t.Failed() {
					t.Fatalf("after dying at step %d", n-1)
				}
				if n < 40 {
					t.Errorf("only %d steps were seen", n)
				}
				t.Logf("%d steps", n)
			})
		}
	}
}

// dieAt runs the script until a step, or to its end.
func dieAt(t *testing.T, w *modelWorld, point int, power bool) (*script, bool) {
	t.Helper()
	d := &death{point: point}
	if power {
		w.pool.OnStep(func(string, string, model.Step) bool { return d.reach() })
	}
	sc := newScript()
	s, err := newSnapshotter(mortalConfig(w, d))
	must(t, err)
	ended := make(chan struct{})
	// goroutine: this test's; ends with the script or where it dies; waited for below.
	go func() {
		defer close(ended)
		err := s.ready(context.Background())
		if err == nil {
			err = sc.run(context.Background(), t, w, s)
		}
		if err != nil && !d.isDead() {
			t.Errorf("the script failed: %v", err)
		}
	}()
	<-ended
	if d.isDead() && power {
		w.fail(t)
	}
	w.pool.OnStep(nil)
	// The kernel closes the files of a process that has died.
	close(s.stop)
	s.flusher.Wait()
	must(t, s.store.close())
	return sc, d.isDead()
}

// seedVar makes a random test repeat what it did.
const seedVar = "ZFS_TEST_SEED"

func newRand(tb testing.TB) *rand.Rand {
	tb.Helper()
	seed := rand.Uint64()
	if text := os.Getenv(seedVar); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		must(tb, err)
	}
	tb.Logf("%s=%d repeats this", seedVar, seed)
	return rand.New(rand.NewPCG(seed, 0))
}
