package jailctl

import (
	"errors"

	"golang.org/x/sys/unix"
)

var (
	errExist      = unix.EEXIST
	errPermission = unix.EPERM
	errMissing    = unix.ENOENT
)

// isGone reports that a call found its jail removed.
func isGone(err error) bool { return errors.Is(err, unix.ENOENT) }
