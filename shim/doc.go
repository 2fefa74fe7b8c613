// Package shim speaks containerd's shim binary protocol: how a shim is started,
// grouped, found again, drained and removed. It knows nothing of jails, OCI
// specs or tasks; a [Program] brings those.
//
// One binary is run in four ways:
//
//	containerd ── start ──▶ binds the socket, starts the server, prints its address, ends
//	               server ▶ answers ttrpc on the inherited socket (fd 3) until it is empty
//	           ── delete ─▶ the server is gone: removes what it left, prints the exit status
//	           ── -info ──▶ prints what this runtime is
//
// A start whose bundle names a group (see [Group]) whose server already runs
// only prints that server's address.
//
// # Goroutines of the server
//
//   - one reaper (Reaper.run), ends with the server
//   - one event forwarder (Publisher.run), ends when Publisher.Close has drained it
//   - one signal handler, ends with the server
//   - the ttrpc server's own
//
// # Files
//
// Sockets live in the folder that containerd names, else in DefaultSocketDir;
// state in a folder of StateRoot that is derived from containerd's address, so
// that two daemons on one host never meet. In it each server has a folder of its
// own (folder.go), in which it keeps a file locked while it lives: that, and not who answers
// at a socket, tells one server from another.
package shim
