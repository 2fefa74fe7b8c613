// Package daemon runs a containerd of one's own in a temporary folder, for
// programs that show or measure our shim: everything that the daemon, its shims
// and its containers make is below that folder or bears its name, is found by
// [Daemon.Leftovers] and removed by [Daemon.Close].
//
// The host's own containerd, if it has one, is neither used nor disturbed.
//
// A Daemon is for one goroutine. It starts one goroutine of its own for each
// start of the process, which ends with that process.
package daemon
