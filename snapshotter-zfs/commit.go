package zfs

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/errdefs"

	"jailshim/snapshotter-zfs/engine"
)

// Commit makes a committed snapshot of an active one. Labels are replaced.
//
// The snapshot of ZFS's carries all that its record says, so it is a layer in itself;
// containerd holds its own database's lock meanwhile.
func (s *Snapshotter) Commit(ctx context.Context, name, key string, opts ...snapshots.Opt) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	var base snapshots.Info
	for _, opt := range opts {
		if err := opt(&base); err != nil {
			return err
		}
	}
	if name == "" {
		return fmt.Errorf("the name to commit snapshot %q to is empty: %w", key, errdefs.ErrInvalidArgument)
	}
	defer s.locks.lock(name, key)()
	c, err := s.newCommit(name, key, base)
	if err != nil {
		return err
	}
	if err := s.commit(ctx, c); err != nil {
		return fmt.Errorf("commit snapshot %q as %q: %w", key, name, err)
	}
	return nil
}

// commit is a snapshot that is being committed.
type commit struct {
	from   *node
	to     *node
	parent *node // nil if there is none
	volume *volume
	shown  bool // others have the head mounted, and may go on writing
}

func (s *Snapshotter) newCommit(name, key string, base snapshots.Info) (*commit, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	from := s.index.nodes[key]
	switch {
	case from == nil:
		return nil, errMissing(key)
	case s.index.nodes[name] != nil:
		return nil, errExists(name)
	case from.Kind != snapshots.KindActive:
		return nil, fmt.Errorf("snapshot %q is not active: %w", key, errdefs.ErrFailedPrecondition)
	case base.Parent != "" && base.Parent != from.Parent:
		return nil, fmt.Errorf("snapshot %q has parent %q, and can't be committed with parent %q: a clone's origin can't be changed: %w",
			key, from.Parent, base.Parent, errdefs.ErrInvalidArgument)
	}
	v := s.index.volumes[from.Volume]
	to := &node{key: name, flushed: true, record: from.record}
	to.Kind, to.Labels, to.Unpack = snapshots.KindCommitted, maps.Clone(base.Labels), false
	to.Created = now()
	to.Updated = to.Created
	id := s.newIdentLocked().String()
	to.Snap, to.From = id, key
	// Known from now on, so that nobody takes it for something left over.
	v.snaps = append(v.snaps, snap{id: id, rec: to})
	return &commit{from: from, to: to, parent: s.index.nodes[from.Parent], volume: v}, nil
}

func (s *Snapshotter) commit(ctx context.Context, c *commit) error {
	err := s.makeSnapshot(ctx, c)
	if err == nil {
		s.step("record")
		if err = s.store.apply(put{bucketRecords, c.from.key, nil}, put{bucketRecords, c.to.key, &c.to.record}); err != nil {
			ctx, cancel := undoContext(ctx)
			defer cancel()
			err = errors.Join(err, s.engine.Destroy(ctx, []string{s.snapshotOf(&c.to.record)}, false))
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		// If there is such a snapshot, it is left over.
		s.index.abandon(c.volume, c.to)
		return err
	}
	delete(s.index.nodes, c.from.key)
	s.index.nodes[c.to.key] = c.to
	c.volume.owner, c.volume.dirty = "", c.shown
	return nil
}

// abandon makes a snapshot one that is to be destroyed.
func (x *index) abandon(v *volume, n *node) {
	for i := range v.snaps {
		if v.snaps[i].rec == n {
			v.snaps[i].rec = nil
		}
	}
}

// makeSnapshot makes the snapshot, and finds out how large it is.
func (s *Snapshotter) makeSnapshot(ctx context.Context, c *commit) error {
	source := s.full(c.volume.name)
	list, err := s.config.Mounter.List()
	if err != nil {
		return err
	}
	c.shown = users(list, source, s.privatePath(c.volume.name)) > 0
	if target, ok := findMounted(list, source); ok {
		if err := s.countFiles(c, target); err != nil {
			return err
		}
	}
	props, err := newMark(c.to.key, &c.to.record).props(propLayer, 0)
	if err != nil {
		return err
	}
	c.to.parts = len(props)
	name := s.snapshotOf(&c.to.record)
	s.step("snapshot")
	if err := s.engine.Snapshot(ctx, []string{name}, props); err != nil {
		return err
	}
	d, err := s.engine.Get(ctx, name)
	if err != nil {
		return err
	}
	c.to.GUID, c.to.TXG, c.to.Referenced = d.GUID, d.CreateTXG, d.Referenced
	c.to.Size = int64(s.ownSize(d, c.parent))
	return nil
}

// ownSize is the size of a dataset or snapshot without its parent.
func (s *Snapshotter) ownSize(d engine.Dataset, parent *node) uint64 {
	switch {
	case s.engine.Capabilities().Written:
		return d.Written
	case parent == nil:
		return d.Referenced
	default:
		return d.Referenced - min(d.Referenced, parent.Referenced)
	}
}

func (s *Snapshotter) countFiles(c *commit, folder string) error {
	n, err := s.config.Mounter.Files(folder)
	if err != nil {
		return err
	}
	c.to.Files = n
	c.to.Inodes = int64(n)
	if c.parent != nil {
		c.to.Inodes = int64(n - min(n, c.parent.Files))
	}
	return nil
}
