// Package pf speaks to the packet filter pf(4): it lists and empties anchors and drops
// states by ioctls on /dev/pf, and loads rules into an anchor with pfctl(8), whose
// form of rules the kernel changes from release to release.
//
// What goes into the kernel and comes out of it is encoded and decoded by functions
// that run on every system (nv.go, encode.go, numbers and layouts in abi_HEADER.go).
// References to the kernel are to its source tree at 15.1-STABLE, __FreeBSD_version
// 1501501; the calls used here are the same in 14.
package pf
