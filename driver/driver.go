// Package driver is the contract between the task service, which knows
// containerd, and what runs containers: an OCI runtime command (package
// ociruntime) or FreeBSD jails in process (package jailctl).
//
// A [Runtime] makes containers; a [Container] is one of them, from Create to
// Delete. Neither knows containerd's API, events, stdio schemes or state
// machine, and the task service knows neither jails nor cgroups.
//
// Exits are not reported here: every pid that a driver returns is a child of
// the calling process (forked by it, or handed to it by the kernel because it
// is a subreaper), so the caller's reaper sees each exit once, with its status.
package driver

import (
	"context"
	"os"
	"syscall"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Mount is one mount of a container's root file system, as the snapshotter
// gave it.
type Mount struct {
	Type    string   // file system type: overlay, bind, zfs, nullfs, …
	Source  string   // device, dataset or folder
	Target  string   // path below the root folder; empty is the root itself
	Options []string // as for mount(8) -o
}

// Stdio holds the process's ends of its standard streams. Nil is /dev/null.
// The files stay the caller's, who closes them when the call returns.
type Stdio struct {
	Stdin, Stdout, Stderr *os.File
}

// CreateConfig says what to create.
type CreateConfig struct {
	// ID names the container; unique among the containers of one Runtime.
	ID string
	// Bundle is the absolute path of the OCI bundle; it holds config.json and
	// a folder rootfs.
	Bundle string
	// Rootfs is mounted, in order, on <Bundle>/rootfs. Empty: the root of
	// config.json is used as it is.
	Rootfs []Mount
	// Terminal asks for a pseudo terminal; Stdio is unused then and the
	// Process has a Console.
	Terminal bool
	Stdio    Stdio
	// OOM, if not nil, is called each time the kernel kills a process of the
	// container for want of memory, from a goroutine of the driver. It must
	// not block.
	OOM func()
}

// Usage is what a container uses and has used. Times and operations never go back.
type Usage struct {
	CPU, User, System   time.Duration // User and System may not add up to CPU
	Memory, MemoryLimit uint64        // bytes; no limit is 0
	Pids, PidsLimit     uint64        // processes; no limit is 0
	Reads, Writes       uint64        // operations on block devices
	OOMKills            uint64        // processes that were killed for want of memory
}

// ExecConfig says what to run in a container beside its init.
type ExecConfig struct {
	ID       string // unique among the execs of the container
	Spec     *specs.Process
	Terminal bool
	Stdio    Stdio
}

// Process is a process that a driver made: a child of the calling process.
type Process struct {
	Pid int // ≥ 1
	// Console is the master side of its terminal; nil without one. The caller
	// closes it.
	Console *os.File
}

// Runtime makes containers. All methods are safe for concurrent use.
type Runtime interface {
	// Create makes the container up to the point where its init process
	// exists but does not yet run the user's program. It fails when that
	// program is missing from the root file system. On any error nothing of
	// the container is left.
	Create(ctx context.Context, c *CreateConfig) (Container, error)

	// Remove takes away all that a container's dead shim may have left:
	// processes, mounts below <bundle>/rootfs, cgroups or jails, the runtime's
	// state. It needs no bundle on disk, may be repeated, and does not fail
	// for what is already gone.
	Remove(ctx context.Context, id, bundle string) error

	// Pid returns the pid that the init of a container has, or had, which a dead shim
	// has left; 0 if that is not known.
	Pid(id, bundle string) int

	// Info describes the runtime for containerd's introspection: the name and
	// version of what runs the containers, and its features, nil if it has
	// none to tell.
	Info(ctx context.Context) (Info, error)
}

// Info describes a Runtime.
type Info struct {
	Name     string
	Version  string
	Features any // the OCI features structure, JSON-encodable; may be nil
}

// Container is one container. The caller keeps its life in order: Start once,
// after Create; Exec, Update, Pause and the like only between Create and
// Delete; Delete last. Methods may be called concurrently otherwise.
//
// Errors wrap an errdefs class where the driver knows one (NotFound: no such
// process or container; FailedPrecondition: wrong state; InvalidArgument: the
// request; NotImplemented: this runtime can't).
type Container interface {
	// Init returns the init process, which exists since Create.
	Init() Process

	// Start lets the init process run the user's program.
	Start(ctx context.Context) error

	// Exec runs another process. The process has been made when it returns;
	// it fails if the program does not exist.
	Exec(ctx context.Context, e *ExecConfig) (Process, error)

	// KillAll sends a signal to every process of the container. No process
	// left is not an error.
	KillAll(ctx context.Context, sig syscall.Signal) error

	// Quiesce is called once, when the init process has ended, before anybody
	// is told: it kills what outlived the init, and calls CreateConfig.OOM for
	// kills that were not reported yet.
	Quiesce(ctx context.Context) error

	// Pids returns the processes in the container, in no particular order, as
	// pids of the host. Empty if there is none.
	Pids(ctx context.Context) ([]int, error)

	// Stats returns what the container uses and has used: a *[Usage], or where the
	// kernel has more to tell, a message that clients of containerd know how to
	// decode, io.containerd.cgroups.v1.Metrics or v2. It works from Create to
	// Delete, so also when the init is gone.
	Stats(ctx context.Context) (any, error)

	// Update changes the resource limits. Nil fields keep what is set.
	Update(ctx context.Context, r *specs.LinuxResources) error

	// Pause stops all processes from running; Resume lets them go on.
	Pause(ctx context.Context) error
	Resume(ctx context.Context) error

	// Delete removes the container: processes that are left are killed, and
	// everything below <bundle>/rootfs is unmounted. It may be repeated after
	// an error, and an already removed container is not an error. The context
	// bounds it; the caller passes one that a client's leaving does not end.
	Delete(ctx context.Context) error
}
