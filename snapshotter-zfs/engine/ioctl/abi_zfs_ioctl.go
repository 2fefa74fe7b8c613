package ioctl

import "unsafe"

// zfsCmdHead is what follows zc_name in struct zfs_cmd,
// sys/contrib/openzfs/include/sys/zfs_ioctl.h:509. The kernel asserts the structure's
// size (line 574).
type zfsCmdHead struct {
	nvlistSrc       uint64
	nvlistSrcSize   uint64
	nvlistDst       uint64
	nvlistDstSize   uint64
	nvlistDstFilled int32
	_               int32
	_               uint64 // zc_history
}

// zfsCmdTail is what follows zc_value.
type zfsCmdTail struct {
	_            [256]byte // zc_string
	_            [3]uint64 // zc_guid, zc_nvlist_conf, zc_nvlist_conf_size
	cookie       uint64
	_            [6]uint64 // zc_objset_type to zc_iflags
	_            [32]byte  // zc_share
	objsetStats  objsetStats
	_            [304]byte // zc_begin_record
	_            [352]byte // zc_pad1, the size of zinject_record_t less 16
	deferDestroy uint32
	_            uint32 // zc_flags
	_            uint64 // zc_action_handle
	_            int32  // zc_cleanup_fd
	simple       uint8
	_            [3]uint8
	_            [3]uint64 // zc_sendobj, zc_fromobj, zc_createtxg
	_            [40]byte  // zc_stat
	_            uint64    // zc_zoneid; since 2.2
}

// objsetStats is dmu_objset_stats_t, sys/contrib/openzfs/include/sys/dmu.h:1032.
type objsetStats struct {
	numClones   uint64
	creationTXG uint64
	guid        uint64
	kind        uint32 // dds_type
	isSnapshot  uint8
	_           uint8 // dds_inconsistent
	_           uint8 // dds_redacted
	origin      [256]byte
	_           uint8 // dds_flags; since 2.4
}

// The whole structure: MAXPATHLEN is 1024 on FreeBSD and 4096 on Linux.
type (
	zfsCmdFreeBSD struct {
		name  [1024]byte
		head  zfsCmdHead
		value [2048]byte
		tail  zfsCmdTail
	}
	zfsCmdLinux struct {
		name  [4096]byte
		head  zfsCmdHead
		value [8192]byte
		tail  zfsCmdTail
	}
)

// layout is where a system has the parts of struct zfs_cmd.
type layout struct {
	// size is that of the structure of OpenZFS 2.2 to 2.4, and room that of the buffer:
	// a module that knows more fields at the end reads zeros.
	size, room        int
	nameSize          int // zc_name, at offset 0, with its NUL
	head, value, tail int
	valueSize         int // zc_value, with its NUL
}

var (
	layoutFreeBSD = layout{
		size: int(unsafe.Sizeof(zfsCmdFreeBSD{})), room: 8 << 10,
		nameSize: len(zfsCmdFreeBSD{}.name), valueSize: len(zfsCmdFreeBSD{}.value),
		head: int(unsafe.Offsetof(zfsCmdFreeBSD{}.head)), value: int(unsafe.Offsetof(zfsCmdFreeBSD{}.value)), tail: int(unsafe.Offsetof(zfsCmdFreeBSD{}.tail)),
	}
	layoutLinux = layout{
		size: int(unsafe.Sizeof(zfsCmdLinux{})), room: 24 << 10,
		nameSize: len(zfsCmdLinux{}.name), valueSize: len(zfsCmdLinux{}.value),
		head: int(unsafe.Offsetof(zfsCmdLinux{}.head)), value: int(unsafe.Offsetof(zfsCmdLinux{}.value)), tail: int(unsafe.Offsetof(zfsCmdLinux{}.tail)),
	}
)

// Offsets in the parts.
const (
	offSrc          = int(unsafe.Offsetof(zfsCmdHead{}.nvlistSrc))
	offSrcSize      = int(unsafe.Offsetof(zfsCmdHead{}.nvlistSrcSize))
	offDst          = int(unsafe.Offsetof(zfsCmdHead{}.nvlistDst))
	offDstSize      = int(unsafe.Offsetof(zfsCmdHead{}.nvlistDstSize))
	offDstFilled    = int(unsafe.Offsetof(zfsCmdHead{}.nvlistDstFilled))
	offCookie       = int(unsafe.Offsetof(zfsCmdTail{}.cookie))
	offStats        = int(unsafe.Offsetof(zfsCmdTail{}.objsetStats))
	offDeferDestroy = int(unsafe.Offsetof(zfsCmdTail{}.deferDestroy))
	offSimple       = int(unsafe.Offsetof(zfsCmdTail{}.simple))

	offNumClones   = int(unsafe.Offsetof(objsetStats{}.numClones))
	offCreationTXG = int(unsafe.Offsetof(objsetStats{}.creationTXG))
	offGUID        = int(unsafe.Offsetof(objsetStats{}.guid))
	offKind        = int(unsafe.Offsetof(objsetStats{}.kind))
	offIsSnapshot  = int(unsafe.Offsetof(objsetStats{}.isSnapshot))
	offOrigin      = int(unsafe.Offsetof(objsetStats{}.origin))
	originSize     = len(objsetStats{}.origin)
	statsSize      = int(unsafe.Sizeof(objsetStats{}))
)

// The sizes and the offsets, counted from the C structures with a compiler.
var (
	_ [4528]byte  = [unsafe.Sizeof(zfsCmdFreeBSD{})]byte{}
	_ [13744]byte = [unsafe.Sizeof(zfsCmdLinux{})]byte{}
	_ [288]byte   = [statsSize]byte{}

	_ [1024]byte  = [unsafe.Offsetof(zfsCmdFreeBSD{}.head)]byte{}
	_ [1072]byte  = [unsafe.Offsetof(zfsCmdFreeBSD{}.value)]byte{}
	_ [3120]byte  = [unsafe.Offsetof(zfsCmdFreeBSD{}.tail)]byte{}
	_ [4096]byte  = [unsafe.Offsetof(zfsCmdLinux{}.head)]byte{}
	_ [4144]byte  = [unsafe.Offsetof(zfsCmdLinux{}.value)]byte{}
	_ [12336]byte = [unsafe.Offsetof(zfsCmdLinux{}.tail)]byte{}

	_ [1032 - 1024]byte = [offSrcSize]byte{}
	_ [1040 - 1024]byte = [offDst]byte{}
	_ [1048 - 1024]byte = [offDstSize]byte{}
	_ [1056 - 1024]byte = [offDstFilled]byte{}
	_ [3400 - 3120]byte = [offCookie]byte{}
	_ [3488 - 3120]byte = [offStats]byte{}
	_ [4432 - 3120]byte = [offDeferDestroy]byte{}
	_ [4452 - 3120]byte = [offSimple]byte{}

	_ [8]byte  = [offCreationTXG]byte{}
	_ [16]byte = [offGUID]byte{}
	_ [24]byte = [offKind]byte{}
	_ [28]byte = [offIsSnapshot]byte{}
	_ [31]byte = [offOrigin]byte{}
)
