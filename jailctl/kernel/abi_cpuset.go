package kernel

// Arguments of the cpuset calls.
const (
	cpuLevelWhich = 3 // CPU_LEVEL_WHICH, sys/sys/cpuset.h:100
	cpuWhichPID   = 2 // CPU_WHICH_PID, sys/sys/cpuset.h:106; id -1 is the caller
	cpuWhichJail  = 5 // CPU_WHICH_JAIL, sys/sys/cpuset.h:109

	// cpusetDefault is the id of the set that processes are born into: set 0
	// holds all CPUs and can't be changed, set 1 is derived from it for this,
	// sys/kern/kern_cpuset.c:1667.
	cpusetDefault = 1

	cpuSetBits = 1024 // CPU_MAXSIZE, sys/sys/_cpuset.h:43
)

// domainSetBits is DOMAINSET_MAXSIZE, sys/sys/_domainset.h:40: the largest set of
// memory domains the calls take; kernels have fewer.
const domainSetBits = 256

var _ [cpuSetBits / 8]byte = CPUSet{}
