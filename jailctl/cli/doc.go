// Package cli is the OCI command jailctl: the commands and flags of runc and
// ocijail over package jailctl, so that podman, buildah, go-runc and scripts can
// drive jails as they drive those.
//
// A container outlives the command that made it. Each command finds it by the
// state below --root, and what changes it holds the container's lock meanwhile
// (see jailctl.Lock): create, start, pause, resume, update, delete. The others
// only look, or signal, and never wait: kill --all ends a start whose hook hangs in
// the jail. delete --force ends whoever else it would wait for (see
// jailctl.Runtime.Seize).
//
//	create   plan → jail → init that waits → console socket, pid file
//	start    the init executes its program
//	run      both; in the foreground also: signals and terminal, wait, delete
//	exec     another process, in the foreground or detached
//	kill     a signal to the init, with --all to every process
//	delete   all that create made goes
//
// # Errors
//
// An error goes to the log (--log) at level error as runc writes it, which is
// where go-runc's users and podman look, and to stderr. The exit status is 1; of
// exec 255; of run and exec in the foreground the process's own, 128 + signal if
// a signal ended it.
//
// # Concurrency
//
// A Program runs one command. Goroutines: in the foreground one that copies the
// terminal's output, which ends with the process, and one that copies its input,
// which ends with the program.
package cli
