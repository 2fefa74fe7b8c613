package zfs

import (
	"context"
	"fmt"
	"strings"

	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/errdefs"

	"jailshim/snapshotter-zfs/engine"
)

// Import makes a committed snapshot of a snapshot of ZFS's that is not ours. It is used
// as a layer without a parent, and never destroyed. With a chain id, containerd finds it
// instead of unpacking a layer that has it.
func (s *Snapshotter) Import(ctx context.Context, snapshot, name, chainID string) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if err := s.checkImport(snapshot, name); err != nil {
		return fmt.Errorf("import %q: %w", snapshot, err)
	}
	d, err := s.engine.Get(ctx, snapshot)
	if err != nil {
		return fmt.Errorf("import: %w", err)
	}
	volume, snap, _ := cutSnap(snapshot)
	n := &node{key: name, flushed: true, record: record{
		Kind: snapshots.KindCommitted, Created: now(), Volume: volume, Snap: snap, Foreign: true,
		GUID: d.GUID, TXG: d.CreateTXG, Referenced: d.Referenced, Size: int64(d.Referenced),
	}}
	n.Updated = n.Created
	if chainID != "" {
		n.Labels = map[string]string{snapshots.LabelSnapshotRef: chainID}
	}
	defer s.locks.lock(name)()
	s.mu.Lock()
	exists := s.index.nodes[name] != nil
	s.mu.Unlock()
	if exists {
		return errExists(name)
	}
	if err := s.store.apply(put{bucketRecords, name, &n.record}); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.index.nodes[name] = n
	return nil
}

func (s *Snapshotter) checkImport(snapshot, name string) error {
	if err := engine.CheckSnapshot("import", snapshot); err != nil {
		return err
	}
	switch {
	case name == "":
		return fmt.Errorf("the name for it is empty: %w", errdefs.ErrInvalidArgument)
	case engine.Pool(snapshot) != engine.Pool(s.config.Dataset):
		return fmt.Errorf("it is in another pool than %q, and can't be cloned there: %w", s.config.Dataset, errdefs.ErrInvalidArgument)
	case strings.HasPrefix(snapshot, s.config.Dataset+"/"), strings.HasPrefix(snapshot, s.config.Dataset+"@"):
		return fmt.Errorf("it is below %q, which is the snapshotter's own: %w", s.config.Dataset, errdefs.ErrInvalidArgument)
	}
	return nil
}
