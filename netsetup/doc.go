// Package netsetup configures the network stack of the calling process's VNET by
// ioctls, without running ifconfig(8). [Loopback] brings up lo0, which a new VNET
// has without addresses.
//
// What goes into the kernel is encoded by functions that run on every system
// (loopback.go, numbers and layouts in abi_HEADER.go); only FreeBSD makes the
// calls. References to the kernel are to its source tree at 15.1-STABLE,
// __FreeBSD_version 1501501 (sys/sys/param.h:77); numbers and layouts are the same
// in 14 and 15, on amd64 and arm64.
package netsetup
