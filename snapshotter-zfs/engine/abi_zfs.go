package engine

import (
	"fmt"
	"syscall"
)

// The numbers of what properties can be, from sys/contrib/openzfs. They do not change:
// pools hold them.
var (
	onOff             = map[string]uint64{"off": 0, "on": 1}                         // boolean_table, module/zcommon/zfs_prop.c:318
	canmountChoices   = map[string]uint64{"off": 0, "on": 1, "noauto": 2}            // zfs_canmount_type_t, include/sys/fs/zfs.h:483
	logbiasChoices    = map[string]uint64{"latency": 0, "throughput": 1}             // zfs_logbias_op_t, include/sys/fs/zfs.h:489
	cacheChoices      = map[string]uint64{"none": 0, "metadata": 1, "all": 2}        // zfs_cache_type_t, include/sys/fs/zfs.h:508
	syncChoices       = map[string]uint64{"standard": 0, "always": 1, "disabled": 2} // zfs_sync_type_t, include/sys/fs/zfs.h:514
	snapdirChoices    = map[string]uint64{"hidden": 0, "visible": 1, "disabled": 2}  // ZFS_SNAPDIR_*, include/sys/zfs_ioctl.h:60; disabled since 2.4
	xattrChoices      = map[string]uint64{"off": 0, "dir": 1, "sa": 2}               // zfs_xattr_type_t, include/sys/fs/zfs.h:520; "on" means another thing in each release
	redundancyChoices = map[string]uint64{"all": 0, "most": 1, "some": 2, "none": 3} // zfs_redundant_metadata_type_t, include/sys/fs/zfs.h:536; some, none since 2.2
)

// enum zio_compress, include/sys/zio_compress.h:41 of sys/contrib/openzfs.
const (
	compressGzip1 = 5
	compressZstd  = 16
	compressBits  = 7 // SPA_COMPRESSBITS, sys/contrib/openzfs/include/sys/spa.h:102; a level is above them
	zstdLevels    = 19
)

func compressionChoices() map[string]uint64 {
	choices := map[string]uint64{"on": 1, "off": 2, "lzjb": 3, "gzip": compressGzip1 + 5, "zle": 14, "lz4": 15, "zstd": compressZstd}
	for level := range uint64(9) {
		choices[fmt.Sprintf("gzip-%d", level+1)] = compressGzip1 + level
	}
	for level := range uint64(zstdLevels) {
		choices[fmt.Sprintf("zstd-%d", level+1)] = compressZstd | (level+1)<<compressBits
	}
	return choices
}

// Errors of ZFS's own, which come in the place of an errno: zfs_errno_t,
// sys/contrib/openzfs/include/sys/fs/zfs.h:1656.
const (
	errCmdUnavail  syscall.Errno = 1029 // ZFS_ERR_IOC_CMD_UNAVAIL, sys/contrib/openzfs/include/sys/fs/zfs.h:1662
	errArgUnavail  syscall.Errno = 1030 // ZFS_ERR_IOC_ARG_UNAVAIL, sys/contrib/openzfs/include/sys/fs/zfs.h:1663
	errWrongParent syscall.Errno = 1033 // ZFS_ERR_WRONG_PARENT, sys/contrib/openzfs/include/sys/fs/zfs.h:1666
	errBadProp     syscall.Errno = 1044 // ZFS_ERR_BADPROP, sys/contrib/openzfs/include/sys/fs/zfs.h:1677
	errMaxNamed    syscall.Errno = 1023 // above it, the numbers are ZFS's
)

var zfsErrnoTexts = map[syscall.Errno]string{
	errCmdUnavail:  "this ZFS has no such call",
	errArgUnavail:  "this ZFS does not know an argument of the call",
	errWrongParent: "the parent cannot have file systems below it",
	errBadProp:     "this ZFS does not take a property or its value",
}

func errnoText(errno syscall.Errno) string {
	if text, ok := zfsErrnoTexts[errno]; ok {
		return text
	}
	if errno > errMaxNamed {
		return fmt.Sprintf("ZFS error %d", int(errno))
	}
	return errno.Error()
}
