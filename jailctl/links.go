package jailctl

import (
	"errors"
	"io/fs"
	"syscall"

	"golang.org/x/sys/unix"
)

var (
	errExist      = unix.EEXIST
	errPermission = unix.EPERM
	errMissing    = unix.ENOENT
)

// links returns how many names a file has.
func links(fi fs.FileInfo) uint64 {
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return 1
	}
	return uint64(st.Nlink) //nolint:unconvert // of another size on other systems
}

// owner returns the user and the group that a file has; -1 is not known.
func owner(fi fs.FileInfo) (uid, gid int) {
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return -1, -1
	}
	return int(st.Uid), int(st.Gid)
}

// isGone reports that a call found its jail removed.
func isGone(err error) bool { return errors.Is(err, unix.ENOENT) }
