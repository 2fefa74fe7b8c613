// Package link configures network interfaces by ioctls and by the routing socket,
// without running ifconfig(8) or route(8).
//
// What is to be done is data: each function with the name of a change or a question
// (Create, Rename, AddAddress, …) returns a [Call], and [Run] makes calls in the
// network stack of the process that it runs in. So the host's side of a container's
// network is run by whoever sets it up, and the container's side by a process in the
// container, which needs nothing but the list.
//
//	Create → Rename → SetMAC, SetMTU → AddMember → MoveTo          on the host
//	Rename → FreshIPv6 → Up → AddAddress → AddRoute                in the jail
//	Destroy                                                        on the host, always first
//
// An interface that moves to another network stack keeps its MAC, MTU, name and
// capabilities, and loses its addresses, routes, IFF_UP and its place in a bridge.
// It belongs to the host all the time: destroying one end of an epair there removes
// both, wherever the other one is and whatever it is called.
//
// What goes into the kernel and what comes from it is encoded and decoded on every
// system; numbers and layouts are in abi_HEADER.go. Only FreeBSD makes calls
// (sys_*_freebsd.go). References to the kernel are to its source tree at
// 15.1-STABLE, __FreeBSD_version 1501501 (sys/sys/param.h:77); what is used is the
// same in 14 and 15, on amd64 and arm64.
//
// All functions are safe for concurrent use, a [Call] is not.
package link
