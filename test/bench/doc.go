// Bench measures our shim beside others: the same daemon, image and moment, one
// run of each in turn, so that whatever else the machine does befalls both. It
// prints a table, says which of the project's bounds are met, and writes the
// result as JSON, as a page and as a picture: bench.* on Linux, bench-freebsd.* on
// FreeBSD.
//
// What is compared is the ratio of the two runs of a pair; the table has the
// median of these ratios, which is not the ratio of the medians beside it.
//
// On Linux the other is containerd's own runc shim. On FreeBSD it is, row by row:
// the system calls that a container is made of, made directly by this program
// (the task service, called over the shim's own socket, and the driver, called in
// this process); jexec; and, if the options name them, runj's shim and ocijail,
// which are not built here. All containers have the host's network there.
//
// "make bench" builds what it needs and runs it, as root; "make bench-freebsd" does
// so on a FreeBSD machine.
//
// In reading order: main.go, the list of measures in measures.go, how each is
// done in run.go, exec.go and memory.go; for FreeBSD the list in jails_freebsd.go,
// and ways_freebsd.go, jexec_freebsd.go, commands_freebsd.go and many_freebsd.go; the
// figures in stats.go, and what is made of them in report.go and plot.go.
package main
