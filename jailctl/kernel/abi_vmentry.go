package kernel

import "unsafe"

// struct kinfo_vmentry, sys/sys/user.h:590; the same on amd64 and arm64.
const (
	offKveStructSize = 0   // kve_structsize int32, user.h:591; of this record, with its path
	offKveType       = 4   // kve_type int32, user.h:592
	offKveStart      = 8   // kve_start uint64, user.h:593
	offKveEnd        = 16  // kve_end uint64, user.h:594
	offKveOffset     = 24  // kve_offset uint64, user.h:595; bytes
	offKveFileID     = 32  // kve_vn_fileid uint64, user.h:596
	offKveResident   = 48  // kve_resident int32, user.h:599; pages
	offKveProtection = 56  // kve_protection int32, user.h:601
	offKveFSID       = 88  // kve_vn_fsid uint64, user.h:610
	offKvePath       = 136 // kve_path, user.h:616; as long as it is

	kveTypeVnode = 2 // KVME_TYPE_VNODE, user.h:533

	kveProtRead  = 1 // KVME_PROT_READ, user.h:543
	kveProtWrite = 2 // KVME_PROT_WRITE, user.h:544
	kveProtExec  = 4 // KVME_PROT_EXEC, user.h:545

	kernProcVMMap = 32 // KERN_PROC_VMMAP, sys/sys/sysctl.h:1054; of a process, by its pid
)

// kinfoVMEntry is struct kinfo_vmentry without its path; it only proves the offsets above.
type kinfoVMEntry struct {
	structSize int32
	kind       int32
	start      uint64
	end        uint64
	offset     uint64
	fileID     uint64
	_          uint32 // kve_vn_fsid_freebsd11
	_          int32  // kve_flags
	resident   int32
	_          int32 // kve_private_resident
	protection int32
	_          [3]int32 // kve_ref_count, kve_shadow_count, kve_vn_type
	_          uint64   // kve_vn_size
	_          uint32   // kve_vn_rdev_freebsd11
	_          [2]uint16
	fsid       uint64
	_          uint64   // kve_vn_rdev
	_          [8]int32 // _kve_ispare
	path       [0]byte
}

var (
	_ [offKveStructSize]byte = [unsafe.Offsetof(kinfoVMEntry{}.structSize)]byte{}
	_ [offKveType]byte       = [unsafe.Offsetof(kinfoVMEntry{}.kind)]byte{}
	_ [offKveStart]byte      = [unsafe.Offsetof(kinfoVMEntry{}.start)]byte{}
	_ [offKveEnd]byte        = [unsafe.Offsetof(kinfoVMEntry{}.end)]byte{}
	_ [offKveOffset]byte     = [unsafe.Offsetof(kinfoVMEntry{}.offset)]byte{}
	_ [offKveFileID]byte     = [unsafe.Offsetof(kinfoVMEntry{}.fileID)]byte{}
	_ [offKveResident]byte   = [unsafe.Offsetof(kinfoVMEntry{}.resident)]byte{}
	_ [offKveProtection]byte = [unsafe.Offsetof(kinfoVMEntry{}.protection)]byte{}
	_ [offKveFSID]byte       = [unsafe.Offsetof(kinfoVMEntry{}.fsid)]byte{}
	_ [offKvePath]byte       = [unsafe.Offsetof(kinfoVMEntry{}.path)]byte{}
)

// Protection and flags of mmap(2).
const (
	protRead   = 0x01 // PROT_READ, sys/sys/mman.h:52
	protExec   = 0x04 // PROT_EXEC, sys/sys/mman.h:54
	mapPrivate = 0x02 // MAP_PRIVATE, sys/sys/mman.h:71
	mapFixed   = 0x10 // MAP_FIXED, sys/sys/mman.h:79
)
