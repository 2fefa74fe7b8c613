package zfs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"strings"

	"github.com/containerd/containerd/v2/core/mount"
	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/errdefs"
)

// Prepare makes an active snapshot. AlreadyExists: the key is taken, or a layer is to
// be unpacked that we have.
func (s *Snapshotter) Prepare(ctx context.Context, key, parent string, opts ...snapshots.Opt) ([]mount.Mount, error) {
	return s.create(ctx, snapshots.KindActive, key, parent, opts)
}

// View makes a read-only snapshot.
func (s *Snapshotter) View(ctx context.Context, key, parent string, opts ...snapshots.Opt) ([]mount.Mount, error) {
	return s.create(ctx, snapshots.KindView, key, parent, opts)
}

// making is a snapshot that is being made.
type making struct {
	node   *node
	parent *node             // nil if there is none
	volume *volume           // nil if the snapshot needs none
	props  map[string]string // of the volume
	head   bool              // the volume is there, and its newest snapshot is the parent
	made   bool              // ZFS has the volume, because of us, or may have it
}

func (s *Snapshotter) create(ctx context.Context, kind snapshots.Kind, key, parent string, opts []snapshots.Opt) ([]mount.Mount, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	var base snapshots.Info
	for _, opt := range opts {
		if err := opt(&base); err != nil {
			return nil, err
		}
	}
	m, err := s.newMaking(kind, key, parent, base.Labels)
	if err != nil {
		return nil, err
	}
	defer s.locks.lock(key)()
	if ref := m.node.ref(); m.node.Unpack && ref != "" {
		if err := s.adopt(parent, ref); err != nil {
			return nil, err
		}
	}
	if err := s.reserve(m); err != nil {
		return nil, err
	}
	mounts, err := s.make(ctx, m)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s %q: %w", verb(kind), key, err), s.unmake(ctx, m))
	}
	return mounts, nil
}

func verb(kind snapshots.Kind) string {
	if kind == snapshots.KindView {
		return "view snapshot"
	}
	return "prepare snapshot"
}

func (s *Snapshotter) newMaking(kind snapshots.Kind, key, parent string, labels map[string]string) (*making, error) {
	if key == "" {
		return nil, fmt.Errorf("the key of the snapshot is empty: %w", errdefs.ErrInvalidArgument)
	}
	t := now()
	n := &node{key: key, record: record{Kind: kind, Parent: parent, Labels: maps.Clone(labels), Created: t, Updated: t}}
	m := &making{node: n}
	if kind != snapshots.KindActive {
		return m, nil
	}
	n.Unpack = isUnpack(key)
	var err error
	m.props, err = labelProps(labels, s.config.Properties)
	return m, err
}

// isUnpack tells whether a snapshot is made to unpack a layer: by its key, which
// containerd has made in the same way since 1.0 (snapshots.UnpackKeyFormat) and which no
// container can have, for the space in it. The label that the transfer service and CRI
// give too is missing where a client unpacks. Keys have the namespace and a number
// before them.
func isUnpack(key string) bool {
	name, _, ok := strings.Cut(key, " ")
	return ok && strings.HasPrefix(path.Base(name), snapshots.UnpackKeyPrefix+"-")
}

// reserve gives a snapshot its place in the index: its parent can't be removed any more,
// and its volume is known.
func (s *Snapshotter) reserve(m *making) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.index
	if x.nodes[m.node.key] != nil {
		return errExists(m.node.key)
	}
	parent, err := x.pin(m.node.Parent)
	if err != nil {
		return err
	}
	m.parent = parent
	if parent != nil {
		m.node.ParentGUID = parent.GUID
	}
	if m.node.Kind == snapshots.KindView && parent != nil && s.engine.Capabilities().SnapshotMounts {
		parent.views++
		return nil
	}
	if v := s.continuedLocked(m); v != nil {
		v.owner, m.volume, m.head = m.node.key, v, true
	} else {
		s.newVolumeLocked(m)
	}
	m.node.Volume = m.volume.name
	return nil
}

func (s *Snapshotter) newVolumeLocked(m *making) {
	folder := containerFolder
	if m.node.Unpack {
		folder = layerFolder
	}
	id := s.newIdentLocked()
	m.volume, m.head = s.index.newVolume(volumeName(folder, id), id, m.node.key), false
}

// continuedLocked returns the volume where a layer can be unpacked on top of its parent
// without a clone: its newest snapshot is the parent, and nobody writes to its head.
func (s *Snapshotter) continuedLocked(m *making) *volume {
	if !m.node.Unpack || m.parent == nil || m.parent.Foreign || len(m.props) > 0 {
		return nil
	}
	v := s.index.volumes[m.parent.Volume]
	if v == nil || v.owner != "" || v.newest() == nil || v.newest().rec != m.parent {
		return nil
	}
	return v
}

// make makes what was reserved, and then the record.
func (s *Snapshotter) make(ctx context.Context, m *making) ([]mount.Mount, error) {
	if m.head {
		if err := s.clean(ctx, m); err != nil {
			return nil, err
		}
	}
	if m.volume != nil && !m.head {
		if err := s.makeVolume(ctx, m); err != nil {
			return nil, err
		}
	}
	s.step("mount")
	mounts, err := s.mounts(ctx, &m.node.record, m.parent, m.volume != nil && !m.head)
	if err != nil {
		return nil, err
	}
	s.step("record")
	if err := s.store.apply(put{bucketRecords, m.node.key, &m.node.record}); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.index.nodes[m.node.key] = m.node
	return mounts, nil
}

// makeVolume makes the volume in ZFS, with its properties.
func (s *Snapshotter) makeVolume(ctx context.Context, m *making) error {
	props := maps.Clone(m.props)
	if props == nil {
		props = map[string]string{}
	}
	if m.parent == nil {
		s.step("create")
		if err := s.engine.Create(ctx, s.full(m.volume.name), props); err != nil {
			return err
		}
		m.made = true
		m.node.flushed = m.node.Unpack
		return nil
	}
	if s.engine.Capabilities().CloneInProgram && !m.node.Unpack {
		mark, err := newMark(m.node.key, &m.node.record).props(propActive, 0)
		if err != nil {
			return err
		}
		maps.Copy(props, mark)
		m.node.parts = len(mark)
	}
	s.step("clone")
	err := s.engine.Clone(ctx, s.snapshotOf(&m.parent.record), s.full(m.volume.name), props)
	// A program that failed as such may have cloned before.
	m.made = err == nil || errdefs.IsInternal(err)
	if err != nil {
		return err
	}
	m.node.flushed = m.node.Unpack || m.node.parts > 0
	return nil
}

// clean makes the head that is continued equal to its newest snapshot. If that can't be
// done, the snapshot gets a volume of its own.
func (s *Snapshotter) clean(ctx context.Context, m *making) error {
	m.node.flushed = true
	s.mu.Lock()
	dirty, parent := m.volume.dirty, s.snapshotOf(&m.parent.record)
	s.mu.Unlock()
	if !dirty {
		return nil
	}
	list, err := s.config.Mounter.List()
	if err != nil {
		return err
	}
	if users(list, s.full(m.volume.name), s.privatePath(m.volume.name)) == 0 {
		s.step("rollback")
		err := s.engine.Rollback(ctx, s.full(m.volume.name), parent)
		if err == nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			m.volume.dirty = false
			return nil
		}
		// Somebody else's snapshot is newer, for instance.
		if !errdefs.IsFailedPrecondition(err) {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m.volume.owner = ""
	s.newVolumeLocked(m)
	m.node.Volume = m.volume.name
	return nil
}

// unmake takes back what reserve and make did.
func (s *Snapshotter) unmake(ctx context.Context, m *making) error {
	var err error
	if m.made {
		ctx, cancel := undoContext(ctx)
		defer cancel()
		s.mu.Lock()
		m.volume.owner = ownerCleanup
		s.mu.Unlock()
		err = s.unmountPrivate(ctx, m.volume.name)
		if e := s.engine.Destroy(ctx, []string{s.full(m.volume.name)}, false); !errdefs.IsNotFound(e) {
			err = errors.Join(err, e)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.index.unpin(m.node)
	switch {
	case m.volume == nil:
	case m.head:
		m.volume.owner, m.volume.dirty = "", true
	case m.made && err != nil:
		// The next cleanup tries again.
		m.volume.owner = ""
	default:
		delete(s.index.volumes, m.volume.name)
	}
	return err
}
