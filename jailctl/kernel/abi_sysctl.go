package kernel

// Numbers of sysctl nodes.
const (
	ctlSysctl = 0 // CTL_SYSCTL, sys/sys/sysctl.h:965
	ctlKern   = 1 // CTL_KERN, sys/sys/sysctl.h:966

	sysctlName     = 1 // CTL_SYSCTL_NAME, sys/sys/sysctl.h:980; the name of the node that follows
	sysctlNext     = 2 // CTL_SYSCTL_NEXT, sys/sys/sysctl.h:981; the leaf after the node that follows
	sysctlName2OID = 3 // CTL_SYSCTL_NAME2OID, sys/sys/sysctl.h:982; the node whose name is written
	sysctlOIDFmt   = 4 // CTL_SYSCTL_OIDFMT, sys/sys/sysctl.h:983; kind (uint32) and format of the node that follows

	kernProc      = 14 // KERN_PROC, sys/sys/sysctl.h:1004
	kernBoottime  = 21 // KERN_BOOTTIME, sys/sys/sysctl.h:1011; struct timeval
	kernOsreldate = 24 // KERN_OSRELDATE, sys/sys/sysctl.h:1014; int32

	kernProcPID  = 1 // KERN_PROC_PID, sys/sys/sysctl.h:1034
	kernProcArgs = 7 // KERN_PROC_ARGS, sys/sys/sysctl.h:1040; written: the arguments that are shown, of the process -1, the caller
	kernProcProc = 8 // KERN_PROC_PROC, sys/sys/sysctl.h:1041; processes without their threads

	ctlMaxName = 24 // CTL_MAXNAME, sys/sys/sysctl.h:61; numbers in a node's name
)

// The kind of a node.
const (
	ctlTypeMask   = 0x0000000f // CTLTYPE, sys/sys/sysctl.h:63
	ctlTypeNode   = 0x00000001 // CTLTYPE_NODE, sys/sys/sysctl.h:64
	ctlTypeString = 0x00000003 // CTLTYPE_STRING, sys/sys/sysctl.h:66
	ctlFlagWrite  = 0x40000000 // CTLFLAG_WR, sys/sys/sysctl.h:82; of a jail parameter: can be set at any time
	ctlFlagTun    = 0x00080000 // CTLFLAG_TUN, sys/sys/sysctl.h:91; of a jail parameter: can be set at creation
)
