package zfs

import (
	"context"
	"errors"
	"fmt"

	"github.com/containerd/errdefs"

	"jailshim/snapshotter-zfs/engine"
)

// ready compares records and ZFS, the first time that the pool is there.
func (s *Snapshotter) ready(ctx context.Context) error {
	if s.isAttached() {
		return nil
	}
	s.attaching.Lock()
	defer s.attaching.Unlock()
	if s.isAttached() {
		return nil
	}
	if err := s.openEngine(ctx); err != nil {
		return err
	}
	if err := s.checkRoot(ctx); err != nil {
		return err
	}
	if err := s.attach(ctx); err != nil {
		return fmt.Errorf("compare the records with dataset %q: %w", s.config.Dataset, err)
	}
	return nil
}

func (s *Snapshotter) isAttached() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.attached
}

func (s *Snapshotter) openEngine(ctx context.Context) error {
	s.mu.Lock()
	have := s.engine != nil
	s.mu.Unlock()
	if have {
		return nil
	}
	e, err := s.config.Open(ctx)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.engine = e
	return nil
}

// checkRoot refuses a root that is not ours, or is another's, and makes the folders in it.
func (s *Snapshotter) checkRoot(ctx context.Context) error {
	root, err := s.engine.Get(ctx, s.config.Dataset)
	if errdefs.IsNotFound(err) {
		return fmt.Errorf("dataset %q is missing; make it with %q: %w",
			s.config.Dataset, createCommand(s.config.Dataset), errdefs.ErrFailedPrecondition)
	}
	if err != nil {
		return err
	}
	if root.Props[MarkRoot] != MarkValue {
		return errNotOurs(s.config.Dataset)
	}
	if err := s.hold(root); err != nil {
		return err
	}
	if err := s.claim(ctx, root); err != nil {
		return err
	}
	for _, folder := range []string{layerFolder, containerFolder} {
		if err := s.makeFolder(ctx, s.full(folder), "mountpoint", "legacy"); err != nil {
			return err
		}
	}
	// What is unpacked is on disk when its snapshot is, so its writers needn't wait.
	err = s.makeFolder(ctx, s.full(layerFolder), "sync", "disabled")
	if errdefs.IsInvalidArgument(err) {
		return nil // zfs-fuse has no such property
	}
	return err
}

// makeFolder makes a dataset, and gives it a property. A crash may have kept it from
// having that.
func (s *Snapshotter) makeFolder(ctx context.Context, name, prop, value string) error {
	props := map[string]string{prop: value}
	d, err := s.engine.Get(ctx, name)
	switch {
	case errdefs.IsNotFound(err):
		return s.engine.Create(ctx, name, props)
	case err != nil || d.Props[prop] != "":
		return err
	}
	return s.engine.SetProps(ctx, name, props)
}

// attach makes the records agree with what is in ZFS, and begins an epoch.
func (s *Snapshotter) attach(ctx context.Context) error {
	list, err := s.engine.List(ctx, s.config.Dataset)
	if err != nil {
		return err
	}
	s.mu.Lock()
	known := s.known
	s.mu.Unlock()
	if !known {
		if err := s.rebuild(list); err != nil {
			return err
		}
	}
	s.mu.Lock()
	least, added, _ := s.index.found(s.config.Dataset, list)
	lost := s.index.lost(s.config.Dataset, list)
	s.mu.Unlock()
	epoch, err := s.store.begin(least)
	if err != nil {
		return err
	}
	if err := s.dropLost(lost); err != nil {
		return err
	}
	if err := s.store.setKnown(); err != nil {
		return err
	}
	s.mu.Lock()
	s.epoch, s.seq, s.known, s.attached = epoch, 0, true, true
	s.mu.Unlock()
	if len(added) > 0 {
		s.log.Info("found what a crash left behind", "objects", len(added))
	}
	// Snapshots that were made and not recorded would count as parts of layers.
	if err := s.collect(ctx); err != nil {
		s.log.Warn("destroy what is left over; the next cleanup tries again", "error", err)
	}
	return nil
}

// lost returns the records whose dataset or snapshot is not in a list of ZFS's.
func (x *index) lost(root string, list []engine.Dataset) []*node {
	guids := make(map[string]uint64, len(list))
	for _, d := range list {
		guids[d.Name] = d.GUID
	}
	var lost []*node
	for _, nodes := range []map[string]*node{x.nodes, x.cache} {
		for _, n := range nodes {
			if n.Volume == "" || n.Foreign {
				continue
			}
			name := root + "/" + n.Volume
			if n.Snap != "" {
				name = root + "/" + n.snapName()
			}
			if guid, ok := guids[name]; !ok || n.GUID != 0 && guid != n.GUID {
				lost = append(lost, n)
			}
		}
	}
	return lost
}

// dropLost removes records whose dataset is gone: nobody can use them, and what
// containerd asks for them is answered with NotFound.
func (s *Snapshotter) dropLost(lost []*node) error {
	var errs []error
	for _, n := range lost {
		bucket, key := bucketRecords, n.key
		if !n.Cached.IsZero() {
			bucket, key = bucketCache, n.snapName()
		}
		if err := s.store.apply(put{bucket, key, nil}); err != nil {
			errs = append(errs, err)
			continue
		}
		s.log.Warn("snapshot is gone: someone has destroyed or replaced its dataset", "key", n.key, "dataset", s.full(n.Volume))
		s.mu.Lock()
		s.index.drop(n, bucket, key)
		s.mu.Unlock()
	}
	return errors.Join(errs...)
}

// drop removes a record whose dataset is gone.
func (x *index) drop(n *node, bucket []byte, key string) {
	if string(bucket) == string(bucketCache) {
		delete(x.cache, key)
	} else {
		x.remove(n)
	}
	v := x.volumes[n.Volume]
	if v == nil {
		return
	}
	if n.Snap != "" {
		v.forget(n.Snap)
		v.dirty = true
	} else if v.owner == n.key {
		v.owner = ""
		v.dirty = true
	}
}
