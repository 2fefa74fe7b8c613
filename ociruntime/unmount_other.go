//go:build !freebsd

package ociruntime

// unmountAnyway is nothing: a root that is busy has somebody who uses it.
const unmountAnyway = 0
