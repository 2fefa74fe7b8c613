package kernel

import "unsafe"

// Flags of [Mount], and of [MountInfo]. The comment tells which of them devfs and
// tmpfs take as option names too: those file systems refuse every name they
// don't know, and take all flags.
const (
	MountReadOnly    = 0x00000001 // MNT_RDONLY, sys/sys/mount.h:382; also "ro"
	MountSynchronous = 0x00000002 // MNT_SYNCHRONOUS, sys/sys/mount.h:383
	MountNoExec      = 0x00000004 // MNT_NOEXEC, sys/sys/mount.h:384; also "noexec"
	MountNoSUID      = 0x00000008 // MNT_NOSUID, sys/sys/mount.h:385; also "nosuid"
	MountNFS4ACLs    = 0x00000010 // MNT_NFS4ACLS, sys/sys/mount.h:386
	MountUnion       = 0x00000020 // MNT_UNION, sys/sys/mount.h:387
	MountAsync       = 0x00000040 // MNT_ASYNC, sys/sys/mount.h:388
	MountUpdate      = 0x00010000 // MNT_UPDATE, sys/sys/mount.h:461; change what is mounted
	MountReload      = 0x00040000 // MNT_RELOAD, sys/sys/mount.h:463
	MountForce       = 0x00080000 // MNT_FORCE, sys/sys/mount.h:464
	MountSUIDDir     = 0x00100000 // MNT_SUIDDIR, sys/sys/mount.h:389
	MountNoSymFollow = 0x00400000 // MNT_NOSYMFOLLOW, sys/sys/mount.h:391
	MountIgnore      = 0x00800000 // MNT_IGNORE, sys/sys/mount.h:423; hidden from df(1)
	MountMultiLabel  = 0x04000000 // MNT_MULTILABEL, sys/sys/mount.h:393
	MountACLs        = 0x08000000 // MNT_ACLS, sys/sys/mount.h:394
	MountNoATime     = 0x10000000 // MNT_NOATIME, sys/sys/mount.h:395
	MountNoClusterR  = 0x40000000 // MNT_NOCLUSTERR, sys/sys/mount.h:396

	mountByFSID = 0x08000000 // MNT_BYFSID, sys/sys/mount.h:467; unmount(2) only
	mountNoWait = 2          // MNT_NOWAIT, sys/sys/mount.h:569; for getfsstat(2)
)

// struct statfs, sys/sys/mount.h:87.
const (
	statfsVersion = 0x20140518 // STATFS_VERSION, sys/sys/mount.h:86
	statfsSize    = 2344
	typeNameSize  = 16   // MFSNAMELEN, sys/sys/mount.h:84; NUL included
	mountNameSize = 1024 // MNAMELEN, sys/sys/mount.h:85; NUL included

	offStatfsVersion  = 0    // f_version uint32
	offStatfsFlags    = 8    // f_flags uint64, MNT_…
	offStatfsFSID     = 192  // f_fsid, two int32
	offStatfsTypeName = 280  // f_fstypename
	offStatfsFrom     = 296  // f_mntfromname
	offStatfsOn       = 1320 // f_mntonname
)

// statfs is struct statfs; it only proves the offsets above.
type statfs struct {
	version  uint32
	_        uint32     // f_type
	flags    uint64     // f_flags
	_        [11]uint64 // f_bsize to f_asyncreads
	_        [2]uint32  // f_nvnodelistsize, f_spare0
	_        [9]uint64  // f_spare
	_        [2]uint32  // f_namemax, f_owner
	fsid     FSID
	_        [80]byte // f_charspare
	typeName [typeNameSize]byte
	from     [mountNameSize]byte
	on       [mountNameSize]byte
}

var (
	_ [statfsSize]byte        = [unsafe.Sizeof(statfs{})]byte{}
	_ [offStatfsVersion]byte  = [unsafe.Offsetof(statfs{}.version)]byte{}
	_ [offStatfsFlags]byte    = [unsafe.Offsetof(statfs{}.flags)]byte{}
	_ [offStatfsFSID]byte     = [unsafe.Offsetof(statfs{}.fsid)]byte{}
	_ [offStatfsTypeName]byte = [unsafe.Offsetof(statfs{}.typeName)]byte{}
	_ [offStatfsFrom]byte     = [unsafe.Offsetof(statfs{}.from)]byte{}
	_ [offStatfsOn]byte       = [unsafe.Offsetof(statfs{}.on)]byte{}
)
