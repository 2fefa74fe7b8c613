package zfs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/containerd/containerd/v2/core/mount"
	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/errdefs"
)

// undoTime is how long it may take to take something back.
const undoTime = time.Minute

func undoContext(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), undoTime)
}

// Mounts returns what to mount for an active snapshot or a view.
func (s *Snapshotter) Mounts(ctx context.Context, key string) ([]mount.Mount, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	defer s.locks.lock(key)()
	s.mu.Lock()
	n := s.index.nodes[key]
	if n == nil {
		s.mu.Unlock()
		return nil, errMissing(key)
	}
	r, parent := n.record, s.index.nodes[n.Parent]
	s.mu.Unlock()
	if r.Kind == snapshots.KindCommitted {
		return nil, fmt.Errorf("snapshot %q is committed, only active ones and views are mounted: %w", key, errdefs.ErrFailedPrecondition)
	}
	return s.mounts(ctx, &r, parent, false)
}

// mounts returns what to mount for a snapshot.
//
// FreeBSD mounts a dataset once. A container's is for containerd to mount; who comes
// second gets what shows the first mount. Views, and layers that are unpacked, are
// mounted here, and everyone gets what shows that: so any number of views can be mounted
// at once, and a layer's writes needn't reach the disk before the next layer begins.
func (s *Snapshotter) mounts(ctx context.Context, r *record, parent *node, isNew bool) ([]mount.Mount, error) {
	readonly := r.Kind == snapshots.KindView
	if r.Volume == "" {
		folder, err := s.mountPrivate(ctx, s.snapshotOf(&parent.record), parent.snapName())
		if err != nil {
			return nil, err
		}
		return []mount.Mount{s.config.Mounter.Show(folder, true)}, nil
	}
	source := s.full(r.Volume)
	if direct, ok := s.config.Mounter.Direct(source); ok && !readonly && !r.Unpack {
		if isNew {
			return []mount.Mount{direct}, nil
		}
		list, err := s.config.Mounter.List()
		if err != nil {
			return nil, err
		}
		if target, ok := findMounted(list, source); ok {
			return []mount.Mount{s.config.Mounter.Show(target, false)}, nil
		}
		return []mount.Mount{direct}, nil
	}
	folder, err := s.mountPrivate(ctx, source, r.Volume)
	if err != nil {
		return nil, err
	}
	return []mount.Mount{s.config.Mounter.Show(folder, readonly)}, nil
}

// privatePath is where we mount a volume or snapshot for ourselves. No name has a "+".
func (s *Snapshotter) privatePath(name string) string {
	return filepath.Join(s.config.State, "mnt", strings.ReplaceAll(name, "/", "+"))
}

// mountPrivate mounts a dataset or snapshot where nobody else sees it, and returns the
// folder; or the one where it is mounted already.
func (s *Snapshotter) mountPrivate(ctx context.Context, source, name string) (string, error) {
	path := s.privatePath(name)
	defer s.locks.lock("mount " + path)()
	list, err := s.config.Mounter.List()
	if err != nil {
		return "", err
	}
	if target, ok := findMounted(list, source); ok {
		return target, nil
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return "", err
	}
	err = s.config.Mounter.Mount(ctx, source, path)
	if err == nil {
		return path, nil
	}
	// Someone else may have been faster.
	if list, listErr := s.config.Mounter.List(); listErr == nil && errdefs.IsFailedPrecondition(err) {
		if target, ok := findMounted(list, source); ok {
			return target, nil
		}
	}
	return "", errors.Join(err, os.Remove(path))
}

// unmountPrivate ends what mountPrivate began, unless someone needs it.
func (s *Snapshotter) unmountPrivate(ctx context.Context, name string) error {
	path := s.privatePath(name)
	defer s.locks.lock("mount " + path)()
	s.mu.Lock()
	needed := s.index.needed(name)
	s.mu.Unlock()
	if needed {
		return nil
	}
	list, err := s.config.Mounter.List()
	if err != nil {
		return err
	}
	for _, m := range list {
		if m.Target != path {
			continue
		}
		if users(list, m.Source, path) > 0 {
			return nil
		}
		s.step("unmount")
		if err := s.config.Mounter.Unmount(ctx, path); err != nil {
			return err
		}
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
