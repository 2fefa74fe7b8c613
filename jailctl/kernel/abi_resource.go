package kernel

import "unsafe"

// Numbers of resource limits; 0 to 15 are all there are.
const (
	rlimitCPU     = 0  // RLIMIT_CPU, sys/sys/resource.h:101; seconds
	rlimitFsize   = 1  // RLIMIT_FSIZE, sys/sys/resource.h:102; bytes
	rlimitData    = 2  // RLIMIT_DATA, sys/sys/resource.h:103; bytes
	rlimitStack   = 3  // RLIMIT_STACK, sys/sys/resource.h:104; bytes
	rlimitCore    = 4  // RLIMIT_CORE, sys/sys/resource.h:105; bytes
	rlimitRSS     = 5  // RLIMIT_RSS, sys/sys/resource.h:106; bytes
	rlimitMemlock = 6  // RLIMIT_MEMLOCK, sys/sys/resource.h:107; bytes
	rlimitNproc   = 7  // RLIMIT_NPROC, sys/sys/resource.h:108
	rlimitNofile  = 8  // RLIMIT_NOFILE, sys/sys/resource.h:109
	rlimitSbsize  = 9  // RLIMIT_SBSIZE, sys/sys/resource.h:110; bytes
	rlimitVmem    = 10 // RLIMIT_VMEM and RLIMIT_AS, sys/sys/resource.h:111; bytes
	rlimitNpts    = 11 // RLIMIT_NPTS, sys/sys/resource.h:113
	rlimitSwap    = 12 // RLIMIT_SWAP, sys/sys/resource.h:114; bytes
	rlimitKqueues = 13 // RLIMIT_KQUEUES, sys/sys/resource.h:115
	rlimitUmtxp   = 14 // RLIMIT_UMTXP, sys/sys/resource.h:116
	rlimitPipebuf = 15 // RLIMIT_PIPEBUF, sys/sys/resource.h:117; bytes

	rlimInfinity = 1<<63 - 1 // RLIM_INFINITY, sys/sys/resource.h:121
)

// struct rlimit, sys/sys/resource.h:150: rlim_cur and rlim_max, int64 each.
const (
	rlimitSize   = 16
	offRlimitCur = 0
	offRlimitMax = 8
)

// struct rusage, sys/sys/resource.h:70, and struct __wrusage, sys/sys/resource.h:92.
const (
	rusageSize = 144

	offRusageUtime   = 0  // ru_utime, struct timeval
	offRusageStime   = 16 // ru_stime, struct timeval
	offRusageMaxRSS  = 32 // ru_maxrss int64, KiB
	offRusageInBlock = 88 // ru_inblock int64
	offRusageOuBlock = 96 // ru_oublock int64

	wrusageSize        = 2 * rusageSize
	offWrusageSelf     = 0          // wru_self
	offWrusageChildren = rusageSize // wru_children
)

// struct timeval on 64-bit machines, sys/sys/_timeval.h:47.
const (
	timevalSize    = 16
	offTimevalSec  = 0 // tv_sec int64
	offTimevalUsec = 8 // tv_usec int64
)

// rusage is struct rusage; it only proves the offsets above.
type rusage struct {
	utime   [timevalSize]byte
	stime   [timevalSize]byte
	maxRSS  int64
	_       [6]int64 // ru_ixrss to ru_nswap
	inBlock int64
	ouBlock int64
	_       [5]int64 // ru_msgsnd to ru_nivcsw
}

var (
	_ [rusageSize]byte       = [unsafe.Sizeof(rusage{})]byte{}
	_ [offRusageUtime]byte   = [unsafe.Offsetof(rusage{}.utime)]byte{}
	_ [offRusageStime]byte   = [unsafe.Offsetof(rusage{}.stime)]byte{}
	_ [offRusageMaxRSS]byte  = [unsafe.Offsetof(rusage{}.maxRSS)]byte{}
	_ [offRusageInBlock]byte = [unsafe.Offsetof(rusage{}.inBlock)]byte{}
	_ [offRusageOuBlock]byte = [unsafe.Offsetof(rusage{}.ouBlock)]byte{}
)
