// Package kernel is the only place that issues the system calls of FreeBSD that
// make and run jails: jail parameters and descriptors, mounts, devfs rules, the
// process table, reaping and waiting, resource rules, processor sets,
// pseudo terminals, modules.
//
// It decides nothing, logs nothing, starts no goroutine and no program. Each
// exported function is one system call, or the few that belong together, and
// is safe for concurrent use unless it says otherwise.
//
// # Where things are
//
//	NOUN.go           types, and what can be computed without a call: encoders, decoders, rule text
//	NOUN_freebsd.go   the exported verbs: marshal, call, unmarshal
//	NOUN_other.go     the same on other systems: [ErrUnsupported]
//	sys_AREA_freebsd.go  one raw wrapper per system call, named as in the kernel
//	abi_HEADER.go     numbers and layouts of one header of the kernel
//
// Layouts are checked at compile time on every system, and encoders and decoders
// run against bytes captured from a kernel (testdata/).
//
// # Errors
//
// A failed call is an [*Error] that wraps the errno and carries the kernel's own
// text where it gave one, which for many errors it does not. Where a call's errno
// differs between releases, or means "nothing to do", the verb says so.
//
// # Releases
//
// FreeBSD 14 and 15, amd64 and arm64, whose layouts are the same. What only 15.0
// has is the jail descriptor: a [Jail] holds one there, and an id before.
//
// References to the kernel are to its source tree at 15.1-STABLE,
// __FreeBSD_version 1501501 (sys/sys/param.h:77).
package kernel
