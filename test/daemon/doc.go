// Package daemon runs a containerd of one's own in a temporary folder, for the
// tests and for the programs that show or measure our shim. Everything that the
// daemon, its shims and its containers make is below that folder or bears its
// name, so it is found by [Daemon.Leftovers] and removed by [Daemon.Remove].
//
// The host's own containerd, if it has one, is neither used nor disturbed.
//
// The names of the daemon's namespaces are its folder's, or begin with that and
// a "-"; that is how what a container has in the kernel is told from others'.
//
// The methods of a Daemon are safe for concurrent use, except those that start
// and end it. It starts one goroutine for each start of the process, which ends
// with that process.
//
// What differs between systems is in host_linux.go and host_freebsd.go: what
// processes, mounts and containers there are, and what they use.
package daemon
