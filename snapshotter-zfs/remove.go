package zfs

import (
	"context"
	"fmt"

	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/errdefs"
)

// Remove forgets a snapshot; its key is free. What it was in ZFS is destroyed by the
// next Cleanup, because containerd waits for all Removes with a lock held.
func (s *Snapshotter) Remove(ctx context.Context, key string) error {
	leave, err := s.enterRead(ctx)
	if err != nil {
		return err
	}
	defer leave()
	defer s.locks.lock(key)()
	n, keep, err := s.startRemove(key)
	if err != nil {
		return err
	}
	puts := []put{{bucketRecords, key, nil}}
	if keep != nil {
		puts = append(puts, put{bucketCache, keep.snapName(), &keep.record})
	}
	s.step("record")
	err = s.store.apply(puts...)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		n.removing = false
		return fmt.Errorf("remove snapshot %q: %w", key, err)
	}
	s.index.remove(n)
	s.releaseLocked(n, keep)
	return nil
}

// startRemove finds what to remove, and what to keep of it for later.
func (s *Snapshotter) startRemove(key string) (n, keep *node, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n = s.index.nodes[key]
	if n == nil {
		return nil, nil, errMissing(key)
	}
	if n.children > 0 {
		return nil, nil, fmt.Errorf("remove snapshot %q: %d others are based on it: %w", key, n.children, errdefs.ErrFailedPrecondition)
	}
	n.removing = true
	if s.isKept(n) {
		keep = &node{record: n.record, key: key, flushed: true, parts: n.parts}
		keep.Key, keep.Cached = key, now()
	}
	return n, keep, nil
}

// releaseLocked gives up what a record held that is no more.
func (s *Snapshotter) releaseLocked(n, keep *node) {
	if n.Volume == "" || n.Foreign {
		if keep != nil {
			s.index.cache[keep.snapName()] = keep
		}
		return
	}
	v := s.index.volumes[n.Volume]
	if v == nil {
		return
	}
	if n.Kind != snapshots.KindCommitted {
		v.owner, v.dirty = "", true
		return
	}
	if keep == nil {
		// A head without an owner still shows what was in the snapshot.
		v.dirty = v.dirty || v.owner == "" && v.newest().rec == n
		s.index.abandon(v, n)
		return
	}
	s.index.cache[keep.snapName()] = keep
	for i := range v.snaps {
		if v.snaps[i].rec == n {
			v.snaps[i].rec = keep
		}
	}
}
