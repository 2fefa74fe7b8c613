package kernel

// Arguments of wait6(2).
const (
	idPID    = 0  // P_PID, sys/sys/wait.h:106
	idAll    = 7  // P_ALL, sys/sys/wait.h:113; any child
	idJailID = 12 // P_JAILID, sys/sys/wait.h:118; the very jail, not those below it

	waitNoHang = 0x01 // WNOHANG, sys/sys/wait.h:77
	waitNoWait = 0x08 // WNOWAIT, sys/sys/wait.h:81; leaves the zombie
	waitExited = 0x10 // WEXITED, sys/sys/wait.h:82
)

// A wait status, sys/sys/wait.h:51.
const (
	waitSignalMask = 0x7f // WTERMSIG; 0 is an exit
	waitExitShift  = 8    // WEXITSTATUS
	waitExitMask   = 0xff
)
