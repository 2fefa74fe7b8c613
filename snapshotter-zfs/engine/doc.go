// Package engine is the contract between the snapshotter and a ZFS: what the
// snapshotter asks for ([Engine]), what it gets ([Dataset]) and how it fails
// ([Error]). The engines are
//
//	engine/ioctl    /dev/zfs, without a process: FreeBSD, and Linux with OpenZFS
//	engine/command  zfs(8), of OpenZFS and of zfs-fuse
//	engine/model    in memory, for tests: transaction groups, owners, crashes
//
// and each passes the suite of engine/enginetest, which is the contract's long form.
//
// What ZFS does costs transaction groups ("txg"), not processor time: each call that
// changes something waits until one is on disk, however little it changed, and calls
// that wait at the same time share one. So the methods' comments count them. What a
// call has returned without error is on disk.
//
// No method mounts anything, if the datasets' mountpoint is none or legacy: that is
// the snapshotter's business.
package engine
