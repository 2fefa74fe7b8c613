// Package ioctl is the engine that talks to the ZFS kernel module through /dev/zfs,
// without starting a process: on FreeBSD, and on Linux with OpenZFS.
//
// A request is a struct zfs_cmd ([command]) with an nvlist for arguments and a buffer
// for the reply's nvlist. Requests are made and replies read by code that runs on
// every system; a [transport] carries them: transport_freebsd.go wraps them into a
// struct zfs_iocparm, transport_linux.go passes them as they are.
//
// What ZFS can do by a channel program, a small Lua program that runs in the kernel in
// one transaction group, is probed by [Open], and used to destroy many objects and to
// clone with user properties: while one program clones, those who come later wait, and
// the next program makes all of theirs ([clones]). A program is not undone when it fails half way, so ours
// undo what they did.
//
// Two functions that programs have are avoided. zfs.sync.inherit panics the kernel if
// the dataset is missing (OpenZFS 2.4.3: dsl_props_set_sync verifies what its check
// did not). zfs.sync.destroy of a missing snapshot says that all went well, so each
// name is looked for before.
//
// A program that waits is interrupted by any signal, and Go's runtime sends itself
// signals. So the transports block them for the time of a call.
package ioctl
