package zfs

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/containerd/containerd/v2/core/snapshots"
)

// usageAge is how old what is known of the sizes of active snapshots may be. ZFS itself
// tells them with a delay of a few seconds: as of the last txg.
const usageAge = 2 * time.Second

// usageCache has the sizes of all volumes, of one list of ZFS's: CRI asks for each
// container every ten seconds.
type usageCache struct {
	mu      sync.Mutex // guards the fields below, and is held while ZFS is asked
	at      time.Time
	volumes map[string]snapshots.Usage
}

// Usage returns what a snapshot takes without its parent. Of a committed one that is
// exact; of an active one it is as of a few seconds ago; views take nothing.
func (s *Snapshotter) Usage(ctx context.Context, key string) (snapshots.Usage, error) {
	leave, err := s.enterRead(ctx)
	if err != nil {
		return snapshots.Usage{}, err
	}
	defer leave()
	s.mu.Lock()
	n := s.index.nodes[key]
	if n == nil {
		s.mu.Unlock()
		return snapshots.Usage{}, errMissing(key)
	}
	r := n.record
	s.mu.Unlock()
	switch r.Kind {
	case snapshots.KindCommitted:
		return snapshots.Usage{Size: r.Size, Inodes: r.Inodes}, nil
	case snapshots.KindActive:
		return s.activeUsage(ctx, r.Volume)
	}
	return snapshots.Usage{}, nil
}

func (s *Snapshotter) activeUsage(ctx context.Context, volume string) (snapshots.Usage, error) {
	c := &s.usage
	c.mu.Lock()
	defer c.mu.Unlock()
	if u, ok := c.volumes[volume]; ok && time.Since(c.at) < usageAge {
		return u, nil
	}
	if err := s.ready(ctx); err != nil {
		return snapshots.Usage{}, err
	}
	volumes, err := s.readUsage(ctx)
	if err != nil {
		return snapshots.Usage{}, fmt.Errorf("sizes of snapshots: %w", err)
	}
	c.at, c.volumes = time.Now(), volumes
	return volumes[volume], nil
}

// readUsage asks for the sizes of all volumes at once.
func (s *Snapshotter) readUsage(ctx context.Context) (map[string]snapshots.Usage, error) {
	list, err := s.engine.List(ctx, s.config.Dataset)
	if err != nil {
		return nil, err
	}
	mounted, err := s.config.Mounter.List()
	if err != nil {
		return nil, err
	}
	parents := s.activeParents()
	usage := map[string]snapshots.Usage{}
	for _, d := range list {
		o, ok := ours(s.config.Dataset, d.Name)
		parent, active := parents[o.volume]
		if !ok || d.Snapshot || !active {
			continue
		}
		u := snapshots.Usage{Size: int64(s.ownSize(d, parent))}
		if target, ok := findMounted(mounted, d.Name); ok {
			files, err := s.config.Mounter.Files(target)
			if err != nil {
				return nil, err
			}
			u.Inodes = int64(files)
			if parent != nil {
				u.Inodes = int64(files - min(files, parent.Files))
			}
		}
		usage[o.volume] = u
	}
	return usage, nil
}

// activeParents returns the parents of active snapshots, by their volumes.
func (s *Snapshotter) activeParents() map[string]*node {
	s.mu.Lock()
	defer s.mu.Unlock()
	parents := map[string]*node{}
	for _, n := range s.index.nodes {
		if n.Kind == snapshots.KindActive {
			parents[n.Volume] = s.index.nodes[n.Parent]
		}
	}
	return parents
}
