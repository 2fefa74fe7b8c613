package ociruntime

import "golang.org/x/sys/unix"

// unmountAnyway unmounts a root that is busy: a jail without processes stays, with its
// root, until the last connection that it had has timed out, which takes minutes.
const unmountAnyway = unix.MNT_FORCE
