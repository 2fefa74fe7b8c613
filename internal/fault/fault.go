// Package fault names the places where a failure can be injected, so that a
// test can fail or kill the shim in the middle of a call and look at what is
// left behind. In an ordinary build [Point] does nothing and costs nothing;
// built with the tag "faultinject" it obeys the file that JAILSHIM_FAULTS names.
package fault

// Points lists every injection point, in the order in which the life of a
// container passes them. A name is "<call>.<what has just been done>".
var Points = []string{
	CreateBegin,
	CreateRecorded,
	CreateStdio,
	CreateMounted,
	CreateRuntime,
	CreateWatched,
	StartBegin,
	StartRuntime,
	ExecRecorded,
	ExecStdio,
	ExecRuntime,
	ExecWatched,
	DeleteBegin,
	DeleteDrained,
	DeleteRuntime,
	DeleteUnmounted,
}

// JailPoints lists those that only jails in process pass, no OCI command does.
var JailPoints = []string{
	JailRecorded,
	JailMounts,
	JailMade,
	JailLimited,
	JailNetwork,
	JailStage,
	JailEntered,
	JailExecStage,
	JailDetached,
	JailRemoved,
	JailLimitsRemoved,
}

// The injection points.
const (
	CreateBegin     = "create.begin"     // the id is reserved, nothing exists yet
	CreateRecorded  = "create.recorded"  // the state record is on disk
	CreateStdio     = "create.stdio"     // fifos, pipes or the logger are open
	CreateMounted   = "create.mounted"   // the root file system is mounted
	CreateRuntime   = "create.runtime"   // the runtime made the container
	CreateWatched   = "create.watched"   // the reaper knows the init process
	StartBegin      = "start.begin"      // the process is about to be started
	StartRuntime    = "start.runtime"    // the runtime started it
	ExecRecorded    = "exec.recorded"    // the exec is known, nothing runs
	ExecStdio       = "exec.stdio"       // its stdio is open
	ExecRuntime     = "exec.runtime"     // its process exists
	ExecWatched     = "exec.watched"     // the reaper knows it
	DeleteBegin     = "delete.begin"     // the container is stopped
	DeleteDrained   = "delete.drained"   // its output is drained
	DeleteRuntime   = "delete.runtime"   // the runtime has removed it
	DeleteUnmounted = "delete.unmounted" // its root file system is unmounted

	JailRecorded      = "jail.recorded"       // create: the jail's state is on disk
	JailMounts        = "jail.mounts"         // create: all mounts are made
	JailMade          = "jail.made"           // create: the jail exists
	JailLimited       = "jail.limited"        // create: its limits are in force
	JailNetwork       = "jail.network"        // create: it is on its network
	JailStage         = "jail.stage"          // create: the init's first stage runs
	JailEntered       = "jail.entered"        // create: the first stage is in the jail
	JailExecStage     = "jail.exec-stage"     // exec: its first stage runs
	JailDetached      = "jail.detached"       // delete: it is on no network any more
	JailRemoved       = "jail.removed"        // delete: the jail is removed
	JailLimitsRemoved = "jail.limits-removed" // delete: only the state is left
)
