// Package zfs is containerd's snapshotter on ZFS. It is a library;
// cmd/containerd-openzfs-grpc serves it as a proxy plugin.
//
// # What is where
//
//	POOL/…/ROOT            the dataset that the operator made and marked (MarkRoot)
//	POOL/…/ROOT/l/<id>     a volume: the layers of a chain, one snapshot @<id> each
//	POOL/…/ROOT/c/<id>     a volume: the file system of a container, a clone
//	STATE/records.db       the records: keys, labels, which volume is whose
//	STATE/mnt/<volume>     private mounts of volumes and snapshots
//
// An id is made of the epoch, which each start raises in the database, and a counter.
// It is never used twice, so what a crash left behind is never taken for something new.
//
// # What costs what
//
// Each change of ZFS's waits for a transaction group (txg). Prepare is one (a clone),
// Commit is one (a snapshot that carries the layer's record as a property), View,
// Mounts, Stat, Walk, Update and Remove are none. The layers of an image are unpacked
// into one volume: the next layer continues where the newest snapshot is, without a
// clone. Nothing is locked while ZFS works but the keys and the volume that it works
// for, so calls at the same time share a txg.
//
// # Crashes
//
// Create first and record second; remove the record first and destroy second. So after
// a crash ZFS may have more than the records say, never less, and what is more is found
// when the snapshotter starts and destroyed. If the database is lost, the records come
// back from the properties of the snapshots and of the containers' volumes.
//
// Nothing is ever destroyed that is not named like ours, below the marked dataset.
//
// # Goroutines
//
// The store's writer puts all changes that wait into one transaction of the database.
// The flusher writes changed labels to properties. Close ends both.
package zfs
