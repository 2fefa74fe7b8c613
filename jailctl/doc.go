// Package jailctl runs OCI containers as FreeBSD jails, by system calls in the
// calling process. [Runtime] implements driver.Runtime for the shim, and carries
// what the OCI command needs beside it.
//
// # A container's life
//
//	Create   config.json → plan (package plan: pure) → state on disk → first
//	         stage started → root mounted → mounts → jail → limits → the stage
//	         attaches, finds the program and waits → hooks
//	Start    the stage executes the program under the same pid
//	Exec     a stage that does not wait
//	Quiesce  the init has ended: all else in the jail is killed and reaped
//	Delete   jail removed → mounts undone → limits removed → state removed
//
// There is one way back, [Runtime.Remove]: it works from the state on disk alone
// and takes away whatever of the container exists. A Create that fails half way,
// Delete, the clean-up after a dead shim, and gc all use it.
//
// # What a state on disk names
//
// The state is written once before anything exists and holds the names of all
// that will be made: a jail of this name whose root is this folder, rules for
// that name, mounts on or below these folders. So no step needs a write of its
// own, and a kill between any two leaves nothing unnamed.
//
// # Processes
//
// Processes are children of the caller; the caller's reaper learns how the init
// and the execs end. Orphans of the container are reaped here, when the init has
// ended: a zombie keeps its jail, and the jail its root, from going away.
//
// # Concurrency
//
// A Runtime is safe for concurrent use, and starts no goroutine. A Container's
// methods may be called concurrently as driver.Container says; mu guards its
// state, and is not held across a call that can block.
package jailctl
