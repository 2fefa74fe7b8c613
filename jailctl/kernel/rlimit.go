package kernel

// Rlimit is a resource limit, in the unit of the resource. ^uint64(0) is no
// limit.
type Rlimit struct{ Soft, Hard uint64 }

// RlimitNumbers maps the names of resource limits, as the OCI specification and
// setrlimit(2) write them, to their numbers. Names of Linux without an equivalent
// are absent.
var RlimitNumbers = map[string]int{
	"RLIMIT_CPU":     rlimitCPU,
	"RLIMIT_FSIZE":   rlimitFsize,
	"RLIMIT_DATA":    rlimitData,
	"RLIMIT_STACK":   rlimitStack,
	"RLIMIT_CORE":    rlimitCore,
	"RLIMIT_RSS":     rlimitRSS,
	"RLIMIT_MEMLOCK": rlimitMemlock,
	"RLIMIT_NPROC":   rlimitNproc,
	"RLIMIT_NOFILE":  rlimitNofile,
	"RLIMIT_SBSIZE":  rlimitSbsize,
	"RLIMIT_AS":      rlimitVmem,
	"RLIMIT_VMEM":    rlimitVmem,
	"RLIMIT_NPTS":    rlimitNpts,
	"RLIMIT_SWAP":    rlimitSwap,
	"RLIMIT_KQUEUES": rlimitKqueues,
	"RLIMIT_UMTXP":   rlimitUmtxp,
	"RLIMIT_PIPEBUF": rlimitPipebuf,
}

// kernelRlimit converts a limit: the kernel's are signed, and all that does not
// fit is no limit.
func kernelRlimit(v uint64) int64 {
	if v > rlimInfinity {
		return rlimInfinity
	}
	return int64(v)
}

// encodeRlimit encodes a struct rlimit.
func encodeRlimit(r Rlimit) []byte {
	b := make([]byte, rlimitSize)
	le.PutUint64(b[offRlimitCur:], uint64(kernelRlimit(r.Soft)))
	le.PutUint64(b[offRlimitMax:], uint64(kernelRlimit(r.Hard)))
	return b
}
