package engine

import (
	"cmp"
	"context"
	"slices"
	"strings"
)

// Engine is a ZFS. All methods may be called concurrently. They block until a change
// is on disk, and obey their context only before they begin: a change that has begun
// cannot be called back. Errors are [*Error], of Destroy [*BatchError], or wrap the
// context's.
//
// Names are checked before ZFS sees them (see [CheckDataset], [CheckSnapshot],
// [CheckProps]). A name in a pool that is not imported gives Unavailable, in each
// method.
type Engine interface {
	// Capabilities tells what this ZFS can do. It was probed when the engine was
	// opened.
	Capabilities() Capabilities

	// Create makes a file system: one txg; with properties one more for those that
	// are not quotas and reservations, and one for each of those. A crash can leave
	// the file system without its properties; an error leaves nothing.
	//
	// AlreadyExists; NotFound if the parent is missing; InvalidArgument.
	Create(ctx context.Context, name string, props map[string]string) error

	// Clone makes a file system from a snapshot of the same pool, with the same
	// costs as Create; with CloneInProgram, user properties come with the clone, in
	// one txg.
	//
	// AlreadyExists; NotFound if the snapshot or the parent is missing.
	Clone(ctx context.Context, snapshot, name string, props map[string]string) error

	// Snapshot makes snapshots of datasets of one pool, at most one of each dataset,
	// all or none, with the same user properties, in one txg. Several names need
	// SnapshotMany (else NotImplemented).
	//
	// AlreadyExists; NotFound.
	Snapshot(ctx context.Context, names []string, props map[string]string) error

	// Destroy destroys file systems and snapshots, in the order of names, which is
	// the caller's business: clones before their origin, children and snapshots
	// before what they are of. It tries each, also after one that could not be
	// destroyed. With Programs, about a hundred of one pool cost one txg. Of one name
	// the error is an [*Error], of several a [*BatchError].
	//
	// If deferred, a snapshot that has clones is marked, and goes with the last of
	// them. File systems are never deferred.
	//
	// NotFound; FailedPrecondition if it is mounted, has children, snapshots or
	// clones, or is held. Without Programs, mounted snapshots are an exception: ZFS
	// unmounts them by force. (A nullfs mount on top protects them.)
	Destroy(ctx context.Context, names []string, deferred bool) error

	// Rollback sets a file system back to its newest snapshot, whose full name is
	// given. The file system may be mounted. One txg.
	//
	// NotFound; FailedPrecondition if the snapshot is not the newest.
	Rollback(ctx context.Context, dataset, snapshot string) error

	// SetProps sets properties of a file system, or user properties of a snapshot. An
	// empty value removes the local one; to remove what is not set is no error. One
	// txg for all that are set, one more for each quota and reservation, and one for
	// each that is removed (zfs-fuse: one for each). An error can leave some of them
	// set.
	//
	// NotFound; ResourceExhausted if a quota is below what is used, or there is no
	// space to reserve.
	SetProps(ctx context.Context, name string, props map[string]string) error

	// Get returns a file system or a snapshot. No txg: what was written since the
	// last one is not in the numbers.
	//
	// NotFound.
	Get(ctx context.Context, name string) (Dataset, error)

	// List returns a file system, its snapshots, and all below, in the order of
	// [Sort]. What comes or goes meanwhile may be in it or not. Volumes and bookmarks
	// are left out. No txg.
	//
	// NotFound.
	List(ctx context.Context, root string) ([]Dataset, error)

	// Close frees what the engine holds, once running calls have ended. Later calls
	// give FailedPrecondition; a second Close does nothing.
	Close() error
}

// Capabilities is what a ZFS can do beyond the least.
type Capabilities struct {
	Engine         string // "ioctl", "command" or "model"
	Programs       bool   // many objects are destroyed or marked in one txg; since OpenZFS 0.8
	CloneInProgram bool   // a clone comes with its user properties, in one txg; since OpenZFS 2.4
	SnapshotMany   bool   // Snapshot takes several names; not zfs-fuse
	Written        bool   // Dataset.Written is filled in; not zfs-fuse
	SnapshotMounts bool   // a snapshot can be mounted by its name; not zfs-fuse
}

// Dataset is a file system or a snapshot. Sizes are in bytes, as of the last txg.
type Dataset struct {
	Name     string
	Snapshot bool
	GUID     uint64 // of its contents; the same after a rename
	// CreateTXG is the txg that made it; of snapshots of one file system the order.
	CreateTXG uint64

	Used       uint64 // what its removal would free, children and snapshots included
	Referenced uint64 // what it consists of, shared or not
	Written    uint64 // what was written since the previous snapshot or the origin; 0 without Capabilities.Written
	Available  uint64 // what can be written; 0 for snapshots

	Origin       string // the snapshot that it is a clone of, or ""
	Clones       int    // how many clones a snapshot has
	DeferDestroy bool   // goes with its last clone
	// Mountpoint is where a file system is to be mounted, inherited or not: a path,
	// "none" or "legacy". "" for snapshots.
	Mountpoint string

	// Props are the properties with a local value, user properties and those of
	// [NativeProps]. Sizes are decimal numbers of bytes. Never nil.
	Props map[string]string
}

// Sort orders datasets as List returns them: a file system, then its snapshots, oldest
// first, then its children by name.
func Sort(list []Dataset) {
	slices.SortFunc(list, func(a, b Dataset) int {
		an, _, _ := strings.Cut(a.Name, "@")
		bn, _, _ := strings.Cut(b.Name, "@")
		if an != bn {
			return slices.Compare(strings.Split(an, "/"), strings.Split(bn, "/"))
		}
		if a.Snapshot != b.Snapshot {
			if b.Snapshot {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(a.CreateTXG, b.CreateTXG), strings.Compare(a.Name, b.Name))
	})
}
