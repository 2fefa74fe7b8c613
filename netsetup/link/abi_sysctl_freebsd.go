package link

// Numbers of sysctl nodes.
const (
	netRtIfListL   = 5  // NET_RT_IFLISTL, sys/sys/socket.h:425
	ctlSysctl      = 0  // CTL_SYSCTL, sys/sys/sysctl.h:965
	ctlNet         = 4  // CTL_NET, sys/sys/sysctl.h:969
	sysctlName2OID = 3  // CTL_SYSCTL_NAME2OID, sys/sys/sysctl.h:982; the node whose name is written
	ctlMaxName     = 24 // CTL_MAXNAME, sys/sys/sysctl.h:61; numbers in a node's name
)
