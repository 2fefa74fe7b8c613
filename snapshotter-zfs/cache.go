package zfs

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/containerd/containerd/v2/core/snapshots"
)

// isKept tells whether a snapshot that is removed is kept for when it is asked for
// again. Imported ones always are.
func (s *Snapshotter) isKept(n *node) bool {
	return n.Kind == snapshots.KindCommitted && n.ref() != "" && (n.Foreign || s.config.CacheSize > 0)
}

// adopt gives AlreadyExists if there is a layer with a chain id on a parent: of another
// namespace, or one that was removed and kept, which is a snapshot again then. containerd
// looks for it by its label.
func (s *Snapshotter) adopt(parent, ref string) error {
	kept, parentGUID := s.findLayer(parent, ref)
	if kept == nil {
		return nil
	}
	exists := fmt.Errorf("layer %q: %w", ref, errLayerExists)
	if kept.Cached.IsZero() {
		return exists
	}
	defer s.locks.lock(kept.Key)()
	s.mu.Lock()
	cached := s.index.cache[kept.snapName()]
	if cached != kept || cached.removing {
		s.mu.Unlock()
		return nil
	}
	again := &node{record: kept.record, key: kept.Key, parts: kept.parts}
	if s.index.nodes[again.key] != nil {
		again.key = kept.Key + "~" + kept.Snap
	}
	again.Key, again.Cached, again.Parent, again.ParentGUID = "", time.Time{}, parent, parentGUID
	again.flushed = again.Foreign
	if _, err := s.index.pin(parent); err != nil {
		s.mu.Unlock()
		return err
	}
	cached.removing = true
	s.mu.Unlock()
	s.step("record")
	err := s.store.apply(put{bucketCache, kept.snapName(), nil}, put{bucketRecords, again.key, &again.record})
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		cached.removing = false
		s.index.unpin(again)
		return err
	}
	delete(s.index.cache, kept.snapName())
	s.index.nodes[again.key] = again
	s.index.replace(kept, again)
	return exists
}

// replace makes a snapshot of a volume another record's.
func (x *index) replace(old, n *node) {
	v := x.volumes[n.Volume]
	if v == nil {
		return
	}
	for i := range v.snaps {
		if v.snaps[i].rec == old {
			v.snaps[i].rec = n
		}
	}
}

// findLayer finds a layer, one that is not only kept if there is one.
func (s *Snapshotter) findLayer(parent, ref string) (found *node, parentGUID uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.index.nodes {
		if n.Kind == snapshots.KindCommitted && n.ref() == ref && n.Parent == parent && !n.removing {
			return n, 0
		}
	}
	if p := s.index.nodes[parent]; p != nil {
		parentGUID = p.GUID
	} else if parent != "" {
		return nil, 0
	}
	for _, n := range s.index.cache {
		if n.ref() == ref && n.ParentGUID == parentGUID && !n.removing {
			return n, parentGUID
		}
	}
	return nil, 0
}

// evict forgets kept layers: those whose parent is gone, that are too old, and the
// oldest until the rest has room.
func (s *Snapshotter) evict() error {
	var errs []error
	for _, n := range s.evictable() {
		s.step("evict")
		err := s.store.apply(put{bucketCache, n.snapName(), nil})
		s.mu.Lock()
		if err != nil {
			n.removing = false
			errs = append(errs, err)
		} else {
			delete(s.index.cache, n.snapName())
			if v := s.index.volumes[n.Volume]; v != nil {
				v.dirty = v.dirty || v.owner == "" && v.newest().rec == n
				s.index.abandon(v, n)
			}
		}
		s.mu.Unlock()
	}
	return errors.Join(errs...)
}

// evictable returns what evict is to forget, and reserves it. A layer goes before its
// parent; imported ones stay.
func (s *Snapshotter) evictable() []*node {
	s.mu.Lock()
	defer s.mu.Unlock()
	guids := map[uint64]bool{0: true}
	for _, n := range s.index.nodes {
		guids[n.GUID] = true
	}
	kept := make([]*node, 0, len(s.index.cache))
	var size int64
	for _, n := range s.index.cache {
		guids[n.GUID] = true
		if !n.Foreign && !n.removing {
			kept = append(kept, n)
			size += n.Size
		}
	}
	// The oldest first; of one Remove of a chain, the child is older.
	slices.SortFunc(kept, func(a, b *node) int {
		return cmp.Or(a.Cached.Compare(b.Cached), -cmp.Compare(a.TXG, b.TXG))
	})
	var evicted []*node
	for _, n := range kept {
		old := s.config.CacheAge > 0 && time.Since(n.Cached) > s.config.CacheAge
		if guids[n.ParentGUID] && !old && size <= s.config.CacheSize {
			continue
		}
		n.removing = true
		size -= n.Size
		delete(guids, n.GUID)
		evicted = append(evicted, n)
	}
	return evicted
}
