package link

import "unsafe"

// struct in_aliasreq, sys/netinet/in_var.h:38.
const (
	inAliasreqSize = 68
	offInAliasName = 0  // ifra_name
	offInAliasAddr = 16 // ifra_addr
	offInAliasMask = 48 // ifra_mask
	sockaddrInSize = 16 // struct sockaddr_in, sys/netinet/in.h:94
	offSockaddrIn  = 4  // sin_addr, network order
)

// sockaddrIn and inAliasreq only prove the offsets above.
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
	_ [inAliasreqSize]byte    = [unsafe.Sizeof(inAliasreq{})]byte{}
	_ [offInAliasName]byte    = [unsafe.Offsetof(inAliasreq{}.name)]byte{}
	_ [offInAliasAddr]byte    = [unsafe.Offsetof(inAliasreq{}.addr)]byte{}
	_ [offInAliasMask]byte    = [unsafe.Offsetof(inAliasreq{}.mask)]byte{}
	_ [sockaddrInSize]byte    = [unsafe.Sizeof(sockaddrIn{})]byte{}
	_ [offSockaddrLen]byte    = [unsafe.Offsetof(sockaddrIn{}.length)]byte{}
	_ [offSockaddrFamily]byte = [unsafe.Offsetof(sockaddrIn{}.family)]byte{}
	_ [offSockaddrIn]byte     = [unsafe.Offsetof(sockaddrIn{}.addr)]byte{}
)
