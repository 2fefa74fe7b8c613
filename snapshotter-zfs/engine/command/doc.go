// Package command is the engine that runs zfs(8). It works with any ZFS that has the
// command: OpenZFS, and zfs-fuse, which is older; [Open] finds out which.
//
// The command tells its failures in sentences. So this is the one place where texts
// are read: [Error] of package engine has the errno that a text stands for, by the
// table in errors.go, and a text that is not in it is of the class Internal. Commands
// run in the C locale.
//
// Each call costs a process, where engine/ioctl costs none, several names are
// destroyed one by one, and a clone with properties takes more than one txg.
package command
