package link

import "syscall"

// Address families, sys/sys/socket.h. Like the errnos below they are FreeBSD's on
// every system, as calls are made up on one and run on another.
const (
	afInet  = 2  // AF_INET, sys/sys/socket.h:225
	afRoute = 17 // AF_ROUTE, sys/sys/socket.h:242
	afLink  = 18 // AF_LINK, sys/sys/socket.h:243
	afInet6 = 28 // AF_INET6, sys/sys/socket.h:255

	offSockaddrLen    = 0 // sa_len uint8
	offSockaddrFamily = 1 // sa_family uint8
)

// Errnos, sys/sys/errno.h.
const (
	errSrch         syscall.Errno = 3  // ESRCH, sys/sys/errno.h:50
	errNoEnt        syscall.Errno = 2  // ENOENT, sys/sys/errno.h:49
	errNXIO         syscall.Errno = 6  // ENXIO, sys/sys/errno.h:53
	errExist        syscall.Errno = 17 // EEXIST, sys/sys/errno.h:67
	errProtoNoSupp  syscall.Errno = 43 // EPROTONOSUPPORT, sys/sys/errno.h:103
	errAfNoSupport  syscall.Errno = 47 // EAFNOSUPPORT, sys/sys/errno.h:108
	errAddrNotAvail syscall.Errno = 49 // EADDRNOTAVAIL, sys/sys/errno.h:110
	errNoMsg        syscall.Errno = 83 // ENOMSG, sys/sys/errno.h:161
)
