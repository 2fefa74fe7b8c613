//go:build !freebsd

package ociruntime

// unmountFlags are none: a root that is busy has somebody who uses it.
const unmountFlags = 0
