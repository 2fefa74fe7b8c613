// Package ociruntime is the driver.Runtime over any OCI runtime command, run
// through go-runc: runc by default on Linux, another one by the option
// oci_runtime.
//
//	Create   mount the root file system, RUNTIME create
//	Start    RUNTIME start
//	Exec     RUNTIME exec --detach
//	Delete   RUNTIME delete, unmount
//	Remove   RUNTIME delete --force, unmount, remove the cgroup
//
// Signals go by pid, without the command. On Linux statistics and out-of-memory
// kills are read from the container's cgroup; elsewhere a command has no way to
// tell them, and Stats answers NotImplemented.
//
// The command's processes become children of the calling process, which must be
// a subreaper.
//
// # Goroutines
//
// One per container that watches its cgroup for out-of-memory kills; it ends when
// the cgroup is gone, or at Delete.
package ociruntime
