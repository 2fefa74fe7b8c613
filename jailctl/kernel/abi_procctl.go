package kernel

// Commands of procctl(2).
const (
	procReapAcquire   = 2  // PROC_REAP_ACQUIRE, sys/sys/procctl.h:47; its data must be nil
	procReapStatus    = 4  // PROC_REAP_STATUS, sys/sys/procctl.h:49
	procReapGetpids   = 5  // PROC_REAP_GETPIDS, sys/sys/procctl.h:50
	procReapKill      = 6  // PROC_REAP_KILL, sys/sys/procctl.h:51
	procNoNewPrivsCtl = 19 // PROC_NO_NEW_PRIVS_CTL, sys/sys/procctl.h:64

	procNoNewPrivsEnable = 1 // PROC_NO_NEW_PRIVS_ENABLE, sys/sys/procctl.h:151
)

// Bits of [ReapPid.Flags].
const (
	ReapValid   = 0x01 // REAPER_PIDINFO_VALID, sys/sys/procctl.h:102; set in every entry that is used
	ReapChild   = 0x02 // REAPER_PIDINFO_CHILD, sys/sys/procctl.h:103; a direct child of the reaper, by birth or adoption
	ReapReaper  = 0x04 // REAPER_PIDINFO_REAPER, sys/sys/procctl.h:104; a reaper itself
	ReapZombie  = 0x08 // REAPER_PIDINFO_ZOMBIE, sys/sys/procctl.h:105
	ReapStopped = 0x10 // REAPER_PIDINFO_STOPPED, sys/sys/procctl.h:106
	ReapExiting = 0x20 // REAPER_PIDINFO_EXITING, sys/sys/procctl.h:107
)

// struct procctl_reaper_status, sys/sys/procctl.h:82.
const (
	reaperStatusSize     = 80
	offReaperFlags       = 0  // rs_flags uint32
	offReaperChildren    = 4  // rs_children uint32
	offReaperDescendants = 8  // rs_descendants uint32
	offReaperReaper      = 12 // rs_reaper int32
	offReaperPid         = 16 // rs_pid int32

	reaperOwned    = 0x1 // REAPER_STATUS_OWNED, sys/sys/procctl.h:92
	reaperRealInit = 0x2 // REAPER_STATUS_REALINIT, sys/sys/procctl.h:93
)

// struct procctl_reaper_pidinfo, sys/sys/procctl.h:95.
const (
	reaperPidinfoSize = 72
	offPidinfoPid     = 0 // pi_pid int32
	offPidinfoSubtree = 4 // pi_subtree int32
	offPidinfoFlags   = 8 // pi_flags uint32
)

// struct procctl_reaper_pids, sys/sys/procctl.h:109.
const (
	reaperPidsSize = 72
	offPidsCount   = 0  // rp_count uint32
	offPidsPids    = 64 // rp_pids, a pointer
)

// struct procctl_reaper_kill, sys/sys/procctl.h:115.
const (
	reaperKillSize   = 80
	offKillSig       = 0  // rk_sig int32
	offKillFlags     = 4  // rk_flags uint32
	offKillSubtree   = 8  // rk_subtree int32
	offKillKilled    = 12 // rk_killed uint32; out
	offKillFailedPid = 16 // rk_fpid int32; out, -1 without a failure

	reaperKillSubtree = 0x2 // REAPER_KILL_SUBTREE, sys/sys/procctl.h:127
)
