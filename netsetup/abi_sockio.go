package netsetup

import "unsafe"

// Requests of sys/sys/sockio.h, for any socket of the family that they are about.
const (
	siocSIFFlags = 0x80206910 // SIOCSIFFLAGS, sys/sys/sockio.h:57
	siocGIFFlags = 0xc0206911 // SIOCGIFFLAGS, sys/sys/sockio.h:58
	// siocAIFAddr is not the number of golang.org/x/sys, which is that of
	// FreeBSD 9 (OSIOCAIFADDR, sys/sys/sockio.h:70) with a shorter argument.
	siocAIFAddr = 0x8044692b // SIOCAIFADDR, sys/sys/sockio.h:82
)

// struct ifreq, sys/net/if.h:457.
const (
	ifreqSize    = 32
	ifNameSize   = 16 // IFNAMSIZ, sys/net/if.h:55; NUL included
	offIfrName   = 0  // ifr_name
	offIfrFlags  = 16 // ifr_flags, low 16 bits
	offIfrFlags2 = 18 // ifr_flagshigh, high 16 bits

	iffUp = 0x1 // IFF_UP, sys/net/if.h:139
)

// struct in_aliasreq, sys/netinet/in_var.h:38.
const (
	inAliasreqSize    = 68
	offInAliasName    = 0  // ifra_name
	offInAliasAddr    = 16 // ifra_addr
	offInAliasMask    = 48 // ifra_mask
	sockaddrInSize    = 16 // struct sockaddr_in, sys/netinet/in.h:94
	afInet            = 2  // AF_INET, sys/sys/socket.h:225
	offSockaddrLen    = 0  // sa_len uint8
	offSockaddrFamily = 1  // sa_family uint8
	offSockaddrIn     = 4  // sin_addr, network order
)

// ifreq, sockaddrIn and inAliasreq only prove the offsets above.
type ifreq struct {
	name   [ifNameSize]byte
	flags  uint16
	flags2 uint16
	_      [12]byte // the rest of ifr_ifru
}

type sockaddrIn struct {
	length uint8
	family uint8
	_      uint16 // sin_port
	addr   [4]byte
	_      [8]byte // sin_zero
}

type inAliasreq struct {
	name [ifNameSize]byte
	addr sockaddrIn
	_    sockaddrIn // ifra_broadaddr
	mask sockaddrIn
	_    int32 // ifra_vhid
}

var (
	_ [ifreqSize]byte         = [unsafe.Sizeof(ifreq{})]byte{}
	_ [offIfrName]byte        = [unsafe.Offsetof(ifreq{}.name)]byte{}
	_ [offIfrFlags]byte       = [unsafe.Offsetof(ifreq{}.flags)]byte{}
	_ [offIfrFlags2]byte      = [unsafe.Offsetof(ifreq{}.flags2)]byte{}
	_ [inAliasreqSize]byte    = [unsafe.Sizeof(inAliasreq{})]byte{}
	_ [offInAliasName]byte    = [unsafe.Offsetof(inAliasreq{}.name)]byte{}
	_ [offInAliasAddr]byte    = [unsafe.Offsetof(inAliasreq{}.addr)]byte{}
	_ [offInAliasMask]byte    = [unsafe.Offsetof(inAliasreq{}.mask)]byte{}
	_ [sockaddrInSize]byte    = [unsafe.Sizeof(sockaddrIn{})]byte{}
	_ [offSockaddrLen]byte    = [unsafe.Offsetof(sockaddrIn{}.length)]byte{}
	_ [offSockaddrFamily]byte = [unsafe.Offsetof(sockaddrIn{}.family)]byte{}
	_ [offSockaddrIn]byte     = [unsafe.Offsetof(sockaddrIn{}.addr)]byte{}
)
