package zfs

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/containerd/containerd/v2/core/mount"
	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/errdefs"

	"jailshim/snapshotter-zfs/engine"
	"jailshim/snapshotter-zfs/engine/model"
	"jailshim/snapshotter-zfs/zfstest"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == victimArg {
		os.Exit(victimMain())
	}
	os.Exit(zfstest.Main(m))
}

// world is a ZFS, what mounts it, and what a container does: tests run in the model and
// in real ones.
type world interface {
	// config is that of a snapshotter in this world.
	config() Config
	// write writes a file as a container does that has mounted mounts.
	write(tb testing.TB, mounts []mount.Mount, path, contents string)
	// read reads all files, as a container does.
	read(tb testing.TB, mounts []mount.Mount) map[string]string
	// fail loses what is not on disk, and all mounts.
	fail(tb testing.TB)
}

// modelWorld is the model, with a mounter that only notes who mounted what.
type modelWorld struct {
	pool  *model.Pool
	caps  engine.Capabilities
	state string

	mu     sync.Mutex // guards the field below
	mounts []Mounted
}

var allCapabilities = engine.Capabilities{Programs: true, CloneInProgram: true, SnapshotMany: true, Written: true, SnapshotMounts: true}

const modelRoot = "tank/snapshotter"

func newModelWorld(tb testing.TB, caps engine.Capabilities) *modelWorld {
	tb.Helper()
	w := &modelWorld{pool: model.NewPool("tank", 1<<30), caps: caps, state: tb.TempDir()}
	e := model.New(w.pool)
	if err := e.Create(tb.Context(), modelRoot, map[string]string{MarkRoot: MarkValue, "mountpoint": "none"}); err != nil {
		tb.Fatal(err)
	}
	return w
}

func (w *modelWorld) config() Config {
	return Config{
		Dataset: modelRoot,
		State:   w.state,
		Open: func(context.Context) (engine.Engine, error) {
			return model.NewLimited(w.pool, w.caps), nil
		},
		Mounter: w,
		Log:     slog.New(slog.DiscardHandler),
	}
}

// source is what a container sees that has mounted m.
func (w *modelWorld) source(tb testing.TB, m mount.Mount) string {
	tb.Helper()
	if m.Type == "zfs" {
		return m.Source
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, at := range w.mounts {
		if at.Target == m.Source {
			return at.Source
		}
	}
	tb.Fatalf("nothing is mounted on %q", m.Source)
	return ""
}

func (w *modelWorld) write(tb testing.TB, mounts []mount.Mount, path, contents string) {
	tb.Helper()
	if slices.Contains(mounts[0].Options, "ro") {
		tb.Fatalf("%v is read-only", mounts)
	}
	if err := w.pool.WriteFile(w.source(tb, mounts[0]), path, contents); err != nil {
		tb.Fatal(err)
	}
}

func (w *modelWorld) read(tb testing.TB, mounts []mount.Mount) map[string]string {
	tb.Helper()
	return w.pool.Files(w.source(tb, mounts[0]))
}

func (w *modelWorld) fail(testing.TB) {
	w.pool.OnStep(nil)
	w.pool.Crash()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mounts = nil
}

func (w *modelWorld) List() ([]Mounted, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.mounts), nil
}

func (w *modelWorld) Mount(_ context.Context, source, target string) error {
	if err := w.pool.Own(source); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mounts = append(w.mounts, Mounted{Source: source, Target: target})
	return nil
}

func (w *modelWorld) Unmount(_ context.Context, target string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, m := range w.mounts {
		if m.Folder != "" && m.Folder == target {
			return fmt.Errorf("unmount %q: shown on %q: %w", target, m.Target, errdefs.ErrFailedPrecondition)
		}
		if m.Target == target {
			w.mounts = slices.Delete(w.mounts, i, i+1)
			if m.Source != "" {
				w.pool.Disown(m.Source)
			}
			return nil
		}
	}
	return fmt.Errorf("unmount %q: not mounted: %w", target, errdefs.ErrInvalidArgument)
}

func (w *modelWorld) Direct(source string) (mount.Mount, bool) {
	return mount.Mount{Type: "zfs", Source: source}, true
}

func (w *modelWorld) Show(folder string, readonly bool) mount.Mount {
	return freebsdShow(folder, readonly)
}

func freebsdShow(folder string, readonly bool) mount.Mount {
	m := mount.Mount{Type: "nullfs", Source: folder}
	if readonly {
		m.Options = []string{"ro"}
	}
	return m
}

func (w *modelWorld) Files(folder string) (uint64, error) {
	list, err := w.List()
	if err != nil {
		return 0, err
	}
	for _, m := range list {
		if m.Target == folder {
			return uint64(len(w.pool.Files(m.Source))), nil
		}
	}
	return 0, fmt.Errorf("nothing is mounted on %q", folder)
}

// use mounts what a snapshot is, as a container does for long.
func (w *modelWorld) use(tb testing.TB, mounts []mount.Mount, target string) (release func()) {
	tb.Helper()
	m := mounts[0]
	if m.Type == "zfs" {
		if err := w.Mount(tb.Context(), m.Source, target); err != nil {
			tb.Fatal(err)
		}
	} else {
		w.mu.Lock()
		w.mounts = append(w.mounts, Mounted{Folder: m.Source, Target: target})
		w.mu.Unlock()
	}
	return func() {
		if err := w.Unmount(tb.Context(), target); err != nil {
			tb.Error(err)
		}
	}
}

// open opens a snapshotter and closes it when the test ends.
func open(tb testing.TB, c Config) *Snapshotter {
	tb.Helper()
	s, err := New(tb.Context(), c)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

// must fails the test if there is an error.
func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// mustMounts is must for what returns mounts.
func mustMounts(tb testing.TB) func([]mount.Mount, error) []mount.Mount {
	tb.Helper()
	return func(m []mount.Mount, err error) []mount.Mount {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
		return m
	}
}

// chainID is the chain id of a test's n-th layer.
func chainID(n int) string { return fmt.Sprintf("sha256:%064x", n) }

// unpackLabels are those that containerd's unpacker gives.
func unpackLabels(n int) snapshots.Opt {
	return snapshots.WithLabels(map[string]string{snapshots.LabelSnapshotRef: chainID(n)})
}

// unpack makes a layer as containerd does, with one file, and returns its name.
func unpack(tb testing.TB, w world, s *Snapshotter, namespace, parent string, n int) string {
	tb.Helper()
	return unpackWith(tb, w, s, namespace, parent, n, unpackLabels(n))
}

// unpackWith does it with other labels: containerd's client gives none.
func unpackWith(tb testing.TB, w world, s *Snapshotter, namespace, parent string, n int, opts ...snapshots.Opt) string {
	tb.Helper()
	key := fmt.Sprintf("%s/%d/extract-1-x %s", namespace, 2*n, chainID(n))
	m := mustMounts(tb)(s.Prepare(tb.Context(), key, parent, opts...))
	w.write(tb, m, fmt.Sprint("layer", n), fmt.Sprint("contents ", n))
	name := fmt.Sprintf("%s/%d/%s", namespace, 2*n+1, chainID(n))
	must(tb, s.Commit(tb.Context(), name, key, opts...))
	return name
}

// image unpacks layers 1 to n, and returns the name of the last.
func image(tb testing.TB, w world, s *Snapshotter, namespace string, n int) string {
	tb.Helper()
	parent := ""
	for i := range n {
		parent = unpack(tb, w, s, namespace, parent, i+1)
	}
	return parent
}

// layerFiles are the files of an image of n layers.
func layerFiles(n int) map[string]string {
	files := map[string]string{}
	for i := range n {
		files[fmt.Sprint("layer", i+1)] = fmt.Sprint("contents ", i+1)
	}
	return files
}

func wantFiles(tb testing.TB, what string, got, want map[string]string) {
	tb.Helper()
	if !maps.Equal(got, want) {
		tb.Errorf("%s has files %v, want %v", what, got, want)
	}
}

// walkAll returns what Walk tells, by name.
func walkAll(tb testing.TB, s *Snapshotter) map[string]snapshots.Info {
	tb.Helper()
	all := map[string]snapshots.Info{}
	must(tb, s.Walk(tb.Context(), func(_ context.Context, i snapshots.Info) error {
		all[i.Name] = i
		return nil
	}))
	return all
}

// objects are the names of all datasets and snapshots below the root, without folders.
func objects(tb testing.TB, s *Snapshotter) []string {
	tb.Helper()
	list, err := s.engine.List(tb.Context(), s.config.Dataset)
	must(tb, err)
	var names []string
	for _, d := range list {
		if _, ok := ours(s.config.Dataset, d.Name); ok {
			names = append(names, strings.TrimPrefix(d.Name, s.config.Dataset+"/"))
		}
	}
	slices.Sort(names)
	return names
}

// wantTidy checks that after a cleanup ZFS has what the records say, nothing else.
// zfs-fuse holds what was unmounted for a moment longer; the next cleanup gets it.
func wantTidy(tb testing.TB, s *Snapshotter) {
	tb.Helper()
	_, inModel := s.config.Mounter.(*modelWorld)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		must(tb, s.Cleanup(tb.Context()))
		got, want := objects(tb, s), recorded(s)
		if slices.Equal(got, want) {
			break
		}
		if inModel || time.Now().After(deadline) {
			tb.Errorf("after a cleanup ZFS has %v, the records say %v", got, want)
			return
		}
	}
	r, err := s.Check(tb.Context(), false)
	must(tb, err)
	if len(r.LeftOver)+len(r.Lost) > 0 {
		tb.Errorf("after a cleanup a check finds %+v", r)
	}
}

// recorded are the names of all datasets and snapshots that records have.
func recorded(s *Snapshotter) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := map[string]bool{}
	for n := range s.index.recorded() {
		if n.Volume == "" || n.Foreign {
			continue
		}
		names[n.Volume] = true
		if n.Snap != "" {
			names[n.snapName()] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

func removeDatabase(tb testing.TB, w *modelWorld) {
	tb.Helper()
	must(tb, os.Remove(filepath.Join(w.state, "records.db")))
}
