package ioctl

// Requests: zfs_ioc_t, sys/contrib/openzfs/include/sys/fs/zfs.h:1479. The numbers only
// ever grow.
const (
	iocObjsetStats      = 0x12 // ZFS_IOC_OBJSET_STATS, sys/contrib/openzfs/include/sys/fs/zfs.h:1502
	iocDatasetListNext  = 0x14 // ZFS_IOC_DATASET_LIST_NEXT, sys/contrib/openzfs/include/sys/fs/zfs.h:1504
	iocSnapshotListNext = 0x15 // ZFS_IOC_SNAPSHOT_LIST_NEXT, sys/contrib/openzfs/include/sys/fs/zfs.h:1505
	iocSetProp          = 0x16 // ZFS_IOC_SET_PROP, sys/contrib/openzfs/include/sys/fs/zfs.h:1506
	iocCreate           = 0x17 // ZFS_IOC_CREATE, sys/contrib/openzfs/include/sys/fs/zfs.h:1507
	iocDestroy          = 0x18 // ZFS_IOC_DESTROY, sys/contrib/openzfs/include/sys/fs/zfs.h:1508
	iocRollback         = 0x19 // ZFS_IOC_ROLLBACK, sys/contrib/openzfs/include/sys/fs/zfs.h:1509
	iocSnapshot         = 0x23 // ZFS_IOC_SNAPSHOT, sys/contrib/openzfs/include/sys/fs/zfs.h:1519
	iocInheritProp      = 0x2b // ZFS_IOC_INHERIT_PROP, sys/contrib/openzfs/include/sys/fs/zfs.h:1527
	iocClone            = 0x42 // ZFS_IOC_CLONE, sys/contrib/openzfs/include/sys/fs/zfs.h:1550
	iocChannelProgram   = 0x48 // ZFS_IOC_CHANNEL_PROGRAM, sys/contrib/openzfs/include/sys/fs/zfs.h:1556; since 0.8
)

// objsetFilesystem is the type of file systems and of their snapshots:
// dmu_objset_type_t.
const objsetFilesystem = 2 // DMU_OST_ZFS, sys/contrib/openzfs/include/sys/fs/zfs.h:71

// programSteps is how many instructions a channel program may take.
const programSteps = 10 * 1000 * 1000 // ZCP_DEFAULT_INSTRLIMIT, sys/contrib/openzfs/include/sys/fs/zfs.h:1872

// freebsdVersion is what FreeBSD's module must say in vfs.zfs.version.ioctl.
const freebsdVersion = 15 // ZFS_IOCVER_OZFS, sys/contrib/openzfs/include/os/freebsd/zfs/sys/zfs_ioctl_compat.h:69

// freebsdRequest is the number of a request on FreeBSD, without that of the command:
// _IOWR('Z', n, zfs_iocparm_t), sys/contrib/openzfs/lib/libzfs_core/os/freebsd/libzfs_core_ioctl.c:61.
const freebsdRequest = 0xc0000000 | iocparmSize<<16 | 'Z'<<8

// linuxRequest is the same on Linux: ('Z' << 8), sys/contrib/openzfs/include/sys/fs/zfs.h:1481.
const linuxRequest = 'Z' << 8

// zfs_iocparm_t, sys/contrib/openzfs/include/os/freebsd/zfs/sys/zfs_ioctl_compat.h:88.
const (
	iocparmSize    = 24
	offParmVersion = 0  // zfs_ioctl_version
	offParmCmd     = 8  // zfs_cmd
	offParmSize    = 16 // zfs_cmd_size
)
