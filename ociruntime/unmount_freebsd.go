package ociruntime

import "golang.org/x/sys/unix"

// unmountFlags unmount a root that is busy, too: a jail without processes stays, with
// its root, until the last connection that it had has timed out, which takes minutes.
const unmountFlags = unix.MNT_FORCE
