package kernel

import "unsafe"

// struct kinfo_proc, sys/sys/user.h:119; the same on amd64 and arm64.
const (
	kinfoProcSize = 1088 // KINFO_PROC_SIZE, sys/amd64/include/proc.h:92, sys/arm64/include/proc.h:85
	commSize      = 20   // COMMLEN + 1, sys/sys/user.h:100

	offKiStructSize  = 0   // ki_structsize int32, user.h:120
	offKiPid         = 72  // ki_pid int32, user.h:130
	offKiPpid        = 76  // ki_ppid int32, user.h:131
	offKiUID         = 168 // ki_uid uint32, user.h:143; effective
	offKiSize        = 256 // ki_size uint64, user.h:151; bytes
	offKiRssize      = 264 // ki_rssize int64, user.h:152; pages
	offKiXstat       = 304 // ki_xstat uint16, user.h:157
	offKiRuntime     = 328 // ki_runtime uint64, user.h:164; microseconds
	offKiStart       = 336 // ki_start, struct timeval, user.h:165
	offKiChildtime   = 352 // ki_childtime, struct timeval, user.h:166
	offKiFlag        = 368 // ki_flag int64, user.h:167; P_…
	offKiStat        = 388 // ki_stat int8, user.h:170
	offKiComm        = 447 // ki_comm, user.h:180
	offKiReaper      = 552 // ki_reaper int32, user.h:191
	offKiReapSubtree = 556 // ki_reapsubtree int32, user.h:192
	offKiJid         = 592 // ki_jid int32, user.h:200
	offKiNumThreads  = 596 // ki_numthreads int32, user.h:201
	offKiRusage      = 608 // ki_rusage, struct rusage, user.h:204
)

// kinfoProc is struct kinfo_proc; it only proves the offsets above.
type kinfoProc struct {
	structSize  int32
	_           int32      // ki_layout
	_           [8]uint64  // ki_args to ki_wchan
	pid         int32      //
	ppid        int32      //
	_           [4]int32   // ki_pgid to ki_tsid
	_           [2]int16   // ki_jobc, ki_spare_short1
	_           uint32     // ki_tdev_freebsd11
	_           [16]uint32 // ki_siglist to ki_sigcatch
	uid         uint32     //
	_           [4]uint32  // ki_ruid to ki_svgid
	_           [2]int16   // ki_ngroups, ki_spare_short2
	_           [16]uint32 // ki_groups
	size        uint64     //
	rssize      int64      //
	_           [4]int64   // ki_swrss to ki_ssize
	xstat       uint16     //
	_           uint16     // ki_acflag
	_           [5]uint32  // ki_pctcpu to ki_cow
	runtime     uint64     //
	start       [timevalSize]byte
	childtime   [timevalSize]byte
	flag        int64   //
	_           int64   // ki_kiflag
	_           int32   // ki_traceflag
	stat        int8    //
	_           [5]int8 // ki_nice to ki_lastcpu_old
	_           [17]byte
	_           [9]byte  // ki_wmesg
	_           [18]byte // ki_login
	_           [9]byte  // ki_lockname
	comm        [commSize]byte
	_           [17]byte // ki_emul
	_           [18]byte // ki_loginclass
	_           [4]byte  // ki_moretdname
	_           [46]byte // ki_sparestrings, ki_spareints
	reaper      int32
	reapSubtree int32
	_           uint64   // ki_tdev
	_           [6]int32 // ki_oncpu to ki_cr_flags
	jid         int32
	numThreads  int32
	_           int32   // ki_tid
	_           [4]byte // ki_pri
	rusage      rusage
	_           rusage     // ki_rusage_ch
	_           [24]uint64 // ki_pcb to ki_tdflags
}

var (
	_ [kinfoProcSize]byte    = [unsafe.Sizeof(kinfoProc{})]byte{}
	_ [offKiStructSize]byte  = [unsafe.Offsetof(kinfoProc{}.structSize)]byte{}
	_ [offKiPid]byte         = [unsafe.Offsetof(kinfoProc{}.pid)]byte{}
	_ [offKiPpid]byte        = [unsafe.Offsetof(kinfoProc{}.ppid)]byte{}
	_ [offKiUID]byte         = [unsafe.Offsetof(kinfoProc{}.uid)]byte{}
	_ [offKiSize]byte        = [unsafe.Offsetof(kinfoProc{}.size)]byte{}
	_ [offKiRssize]byte      = [unsafe.Offsetof(kinfoProc{}.rssize)]byte{}
	_ [offKiXstat]byte       = [unsafe.Offsetof(kinfoProc{}.xstat)]byte{}
	_ [offKiRuntime]byte     = [unsafe.Offsetof(kinfoProc{}.runtime)]byte{}
	_ [offKiStart]byte       = [unsafe.Offsetof(kinfoProc{}.start)]byte{}
	_ [offKiChildtime]byte   = [unsafe.Offsetof(kinfoProc{}.childtime)]byte{}
	_ [offKiFlag]byte        = [unsafe.Offsetof(kinfoProc{}.flag)]byte{}
	_ [offKiStat]byte        = [unsafe.Offsetof(kinfoProc{}.stat)]byte{}
	_ [offKiComm]byte        = [unsafe.Offsetof(kinfoProc{}.comm)]byte{}
	_ [offKiReaper]byte      = [unsafe.Offsetof(kinfoProc{}.reaper)]byte{}
	_ [offKiReapSubtree]byte = [unsafe.Offsetof(kinfoProc{}.reapSubtree)]byte{}
	_ [offKiJid]byte         = [unsafe.Offsetof(kinfoProc{}.jid)]byte{}
	_ [offKiNumThreads]byte  = [unsafe.Offsetof(kinfoProc{}.numThreads)]byte{}
	_ [offKiRusage]byte      = [unsafe.Offsetof(kinfoProc{}.rusage)]byte{}
)
