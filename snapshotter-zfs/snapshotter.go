package zfs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/containerd/v2/pkg/filters"
	"github.com/containerd/errdefs"

	"jailshim/snapshotter-zfs/engine"
)

var (
	_ snapshots.Snapshotter = (*Snapshotter)(nil)
	_ snapshots.Cleaner     = (*Snapshotter)(nil)
)

// Config is what a snapshotter is made of. Dataset, State, Open and Mounter are needed.
type Config struct {
	// Dataset is the root: a dataset with the property MarkRoot.
	Dataset string
	// State is the folder for the database and private mounts. It is made.
	State string
	// Open opens the engine. It is called until it gives no Unavailable.
	Open func(context.Context) (engine.Engine, error)
	// Locks is the folder that all snapshotters of this machine have locks in, so that
	// no two of them use one dataset; it is made. Without one there is no lock.
	Locks string
	// Mounter mounts; usually [NewMounter].
	Mounter Mounter

	// Properties are the properties of ZFS's that labels containerd.io/snapshot/zfs.…
	// may set on the file system of a container; nil is [DefaultProperties].
	Properties []string
	// CacheSize is how many bytes of layers to keep that containerd removed, so that
	// they needn't be unpacked again; 0 keeps none.
	CacheSize int64
	// CacheAge is how long to keep them; 0 is until there is no room.
	CacheAge time.Duration
	// FlushEvery is how often changed labels are written to ZFS, from where they come
	// back if the database is lost; 0 is [DefaultFlush].
	FlushEvery time.Duration

	Log *slog.Logger // nil is slog.Default

	// onStep is called before each step of an operation; tests end there.
	onStep func(name string)
}

// DefaultFlush is how long changed labels are in the database alone.
const DefaultFlush = 5 * time.Second

// Snapshotter is containerd's Snapshotter and Cleaner.
type Snapshotter struct {
	config Config
	log    *slog.Logger
	store  *store
	locks  locks
	usage  usageCache

	attaching sync.Mutex // held while ZFS and records are compared for the first time
	held      *os.File   // the lock of the dataset; guarded by attaching
	cleaning  sync.Mutex // held by Cleanup
	closing   sync.RWMutex
	stop      chan struct{}
	flusher   sync.WaitGroup

	mu       sync.Mutex // guards the fields below; never held while anything blocks
	closed   bool
	known    bool // the records are those of the ZFS
	attached bool
	engine   engine.Engine
	epoch    uint64
	seq      uint64
	index    *index
}

// New makes a snapshotter. That the pool is not imported is no error: calls give
// Unavailable until it is. A dataset without the mark is one: FailedPrecondition.
func New(ctx context.Context, config Config) (*Snapshotter, error) {
	s, err := newSnapshotter(config)
	if err != nil {
		return nil, err
	}
	if err := s.ready(ctx); err != nil && !errdefs.IsUnavailable(err) {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// newSnapshotter makes a snapshotter that has not looked at ZFS yet.
func newSnapshotter(config Config) (*Snapshotter, error) {
	if config.Log == nil {
		config.Log = slog.Default()
	}
	if config.FlushEvery == 0 {
		config.FlushEvery = DefaultFlush
	}
	if config.Properties == nil {
		config.Properties = DefaultProperties
	}
	state, err := stateFolder(config.State)
	if err != nil {
		return nil, err
	}
	config.State = state
	s := &Snapshotter{config: config, log: config.Log, index: newIndex(), stop: make(chan struct{})}
	if s.store, err = openStore(filepath.Join(state, "records.db")); err != nil {
		return nil, err
	}
	if err := s.load(); err != nil {
		return nil, errors.Join(err, s.store.close())
	}
	// goroutine: the snapshotter; ends when stop is closed; waited for by Close.
	s.flusher.Go(s.flushAlways)
	return s, nil
}

// stateFolder makes the folder of the state, and returns its path without symbolic
// links: the kernel tells paths of mounts so.
func stateFolder(path string) (string, error) {
	if !filepath.IsAbs(path) {
		return "", fmt.Errorf("folder of the state %q is not an absolute path: %w", path, errdefs.ErrInvalidArgument)
	}
	if err := os.MkdirAll(filepath.Join(path, "mnt"), 0o700); err != nil {
		return "", fmt.Errorf("make the folder of the state: %w", err)
	}
	return filepath.EvalSymlinks(path)
}

func (s *Snapshotter) load() error {
	known, err := s.store.known()
	if err != nil {
		return err
	}
	records, cache := map[string]*record{}, map[string]*record{}
	if err := s.store.load(bucketRecords, func(key string, r *record) { records[key] = r }); err != nil {
		return err
	}
	if err := s.store.load(bucketCache, func(key string, r *record) { cache[key] = r }); err != nil {
		return err
	}
	s.known = known
	return s.index.load(records, cache)
}

// enter begins a call that needs ZFS; leave ends it. Close waits for it.
func (s *Snapshotter) enter(ctx context.Context) (leave func(), err error) {
	if leave, err = s.enterOpen(); err != nil {
		return nil, err
	}
	if err := s.ready(ctx); err != nil {
		leave()
		return nil, err
	}
	return leave, nil
}

// enterRead begins a call that needs the records only.
func (s *Snapshotter) enterRead(ctx context.Context) (leave func(), err error) {
	s.mu.Lock()
	known := s.known
	s.mu.Unlock()
	if !known {
		return s.enter(ctx)
	}
	return s.enterOpen()
}

func (s *Snapshotter) enterOpen() (leave func(), err error) {
	s.closing.RLock()
	s.mu.Lock()
	closed := s.closed
	s.mu.Unlock()
	if closed {
		s.closing.RUnlock()
		return nil, fmt.Errorf("the snapshotter is closed: %w", errdefs.ErrFailedPrecondition)
	}
	return s.closing.RUnlock, nil
}

// Close ends the snapshotter, once running calls have ended. What is mounted stays.
func (s *Snapshotter) Close() error {
	s.closing.Lock()
	defer s.closing.Unlock()
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	s.mu.Unlock()
	if closed {
		return nil
	}
	close(s.stop)
	s.flusher.Wait()
	s.flush(context.Background())
	// The next process waits for the database, and then wants the dataset.
	errs := []error{s.release(), s.store.close()}
	if s.engine != nil {
		errs = append(errs, s.engine.Close())
	}
	return errors.Join(errs...)
}

// Stat returns what is known of a snapshot. It asks nobody.
func (s *Snapshotter) Stat(ctx context.Context, key string) (snapshots.Info, error) {
	leave, err := s.enterRead(ctx)
	if err != nil {
		return snapshots.Info{}, err
	}
	defer leave()
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.index.nodes[key]
	if n == nil {
		return snapshots.Info{}, errMissing(key)
	}
	return n.info(key), nil
}

// Update changes labels. ZFS gets them later.
func (s *Snapshotter) Update(ctx context.Context, info snapshots.Info, fieldpaths ...string) (snapshots.Info, error) {
	leave, err := s.enterRead(ctx)
	if err != nil {
		return snapshots.Info{}, err
	}
	defer leave()
	defer s.locks.lock(info.Name)()
	s.mu.Lock()
	n := s.index.nodes[info.Name]
	if n == nil {
		s.mu.Unlock()
		return snapshots.Info{}, errMissing(info.Name)
	}
	changed := n.record
	s.mu.Unlock()
	if changed.Labels, err = updatedLabels(changed.info(info.Name).Labels, info.Labels, fieldpaths); err != nil {
		return snapshots.Info{}, fmt.Errorf("snapshot %q: %w", info.Name, err)
	}
	changed.Updated = now()
	if err := s.store.apply(put{bucketRecords, info.Name, &changed}); err != nil {
		return snapshots.Info{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	// Only these two: who uses the volume reads the other fields without the mutex.
	n.Labels, n.Updated, n.flushed = changed.Labels, changed.Updated, false
	return n.info(info.Name), nil
}

// updatedLabels applies an update's field paths to labels.
func updatedLabels(labels, update map[string]string, fieldpaths []string) (map[string]string, error) {
	if len(fieldpaths) == 0 {
		return update, nil
	}
	for _, path := range fieldpaths {
		name, isLabel := strings.CutPrefix(path, "labels.")
		switch {
		case path == "labels":
			labels = update
		case !isLabel:
			return nil, fmt.Errorf("field %q can't be changed: %w", path, errdefs.ErrInvalidArgument)
		case update[name] == "":
			delete(labels, name)
		default:
			if labels == nil {
				labels = map[string]string{}
			}
			labels[name] = update[name]
		}
	}
	return labels, nil
}

// Walk calls f for each snapshot that one of the filters matches. Nothing is locked
// meanwhile.
func (s *Snapshotter) Walk(ctx context.Context, f snapshots.WalkFunc, fs ...string) error {
	filter, err := filters.ParseAll(fs...)
	if err != nil {
		return err
	}
	leave, err := s.enterRead(ctx)
	if err != nil {
		return err
	}
	s.mu.Lock()
	infos := make([]snapshots.Info, 0, len(s.index.nodes))
	for key, n := range s.index.nodes {
		infos = append(infos, n.info(key))
	}
	s.mu.Unlock()
	leave()
	slices.SortFunc(infos, func(a, b snapshots.Info) int { return strings.Compare(a.Name, b.Name) })
	for _, info := range infos {
		if !filter.Match(adapt(info)) {
			continue
		}
		if err := f(ctx, info); err != nil {
			return err
		}
	}
	return nil
}

func adapt(info snapshots.Info) filters.Adaptor {
	return filters.AdapterFunc(func(path []string) (string, bool) {
		if len(path) == 0 {
			return "", false
		}
		switch path[0] {
		case "kind":
			return strings.ToLower(info.Kind.String()), true
		case "name":
			return info.Name, true
		case "parent":
			return info.Parent, true
		case "labels":
			value, ok := info.Labels[strings.Join(path[1:], ".")]
			return value, ok
		}
		return "", false
	})
}

// now is the time as records have it.
func now() time.Time { return time.Now().UTC().Round(0) }

// full returns the full name of something below the root.
func (s *Snapshotter) full(name string) string { return s.config.Dataset + "/" + name }

// snapshotOf returns the full name of the snapshot that a committed record is.
func (s *Snapshotter) snapshotOf(r *record) string {
	if r.Foreign {
		return r.snapName()
	}
	return s.full(r.snapName())
}

// newIdentLocked returns an id that was never used.
func (s *Snapshotter) newIdentLocked() ident {
	s.seq++
	return ident{s.epoch, s.seq}
}

func (s *Snapshotter) step(name string) {
	if s.config.onStep != nil {
		s.config.onStep(name)
	}
}
