package kernel

// The states of a process.
const (
	ProcIdle   ProcStat = 1 // SIDL, sys/sys/proc.h:927: being made by fork
	ProcRun    ProcStat = 2 // SRUN, sys/sys/proc.h:928
	ProcSleep  ProcStat = 3 // SSLEEP, sys/sys/proc.h:929
	ProcStop   ProcStat = 4 // SSTOP, sys/sys/proc.h:930: stopped by a signal or a debugger
	ProcZombie ProcStat = 5 // SZOMB, sys/sys/proc.h:931: ended, not yet waited for
	ProcWait   ProcStat = 6 // SWAIT, sys/sys/proc.h:932: an interrupt thread
	ProcLock   ProcStat = 7 // SLOCK, sys/sys/proc.h:933: blocked on a lock
)

// Bits of [Process.Flag].
const (
	ProcFlagExiting = 0x00002000 // P_WEXIT, sys/sys/proc.h:843
	ProcFlagExec    = 0x00004000 // P_EXEC, sys/sys/proc.h:844: it has executed a program since its fork
	ProcFlagKilled  = 0x00008000 // P_WKILLED, sys/sys/proc.h:845
	ProcFlagStopped = 0x00020000 // P_STOPPED_SIG, sys/sys/proc.h:849
	ProcFlagJailed  = 0x01000000 // P_JAILED, sys/sys/proc.h:858
)
