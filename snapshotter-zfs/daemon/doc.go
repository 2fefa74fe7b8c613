// Package daemon serves the snapshotter: to containerd as a proxy plugin (gRPC on a UNIX
// socket), to the operator's commands (HTTP on another UNIX socket, of root only), and to
// Prometheus.
//
// A command asks the daemon that runs, because only one process can have the database;
// if none runs, it opens the snapshotter itself.
package daemon
