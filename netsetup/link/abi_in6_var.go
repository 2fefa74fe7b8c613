package link

import "unsafe"

// struct in6_aliasreq, sys/netinet6/in6_var.h:296.
const (
	in6AliasreqSize   = 136
	offIn6AliasName   = 0   // ifra_name
	offIn6AliasAddr   = 16  // ifra_addr
	offIn6AliasMask   = 72  // ifra_prefixmask
	offIn6AliasFlags  = 100 // ifra_flags int32
	offIn6AliasVltime = 120 // ifra_lifetime.ia6t_vltime uint32, seconds
	offIn6AliasPltime = 124 // ifra_lifetime.ia6t_pltime uint32, seconds
	sockaddrIn6Size   = 28  // struct sockaddr_in6, sys/netinet6/in6.h:128
	offSockaddrIn6    = 8   // sin6_addr

	in6NoDAD      = 0x20       // IN6_IFF_NODAD, sys/netinet6/in6_var.h:497
	nd6NoLifetime = 0xffffffff // ND6_INFINITE_LIFETIME, sys/netinet6/nd6.h:183
)

// struct in6_ifreq, sys/netinet6/in6_var.h:280. Its size is that of its largest part,
// statistics.
const (
	in6IfreqSize  = 288
	offIn6IfrAddr = 16 // ifr_addr
)

// struct in6_ndireq, sys/netinet6/nd6.h:160.
const (
	in6NdireqSize = 72
	offNdiFlags   = 36 // ndi.flags uint32
)

// Flags of IPv6 on an interface, sys/netinet6/nd6.h.
const (
	nd6PerformNUD    = 0x1   // ND6_IFF_PERFORMNUD, sys/netinet6/nd6.h:81
	nd6AcceptRtAdv   = 0x2   // ND6_IFF_ACCEPT_RTADV, sys/netinet6/nd6.h:82
	nd6Disabled      = 0x8   // ND6_IFF_IFDISABLED, sys/netinet6/nd6.h:84
	nd6AutoLinkLocal = 0x20  // ND6_IFF_AUTO_LINKLOCAL, sys/netinet6/nd6.h:88
	nd6NoDAD         = 0x100 // ND6_IFF_NO_DAD, sys/netinet6/nd6.h:91
)

// sockaddrIn6, in6Aliasreq and in6Ndireq only prove the offsets above.
type sockaddrIn6 struct {
	_    [8]byte // sin6_len to sin6_flowinfo
	addr [16]byte
	_    uint32 // sin6_scope_id
}

type in6Aliasreq struct {
	name   [ifNameSize]byte
	addr   sockaddrIn6
	_      sockaddrIn6 // ifra_dstaddr
	mask   sockaddrIn6
	flags  int32
	_      [2]int64 // ia6t_expire, ia6t_preferred
	vltime uint32
	pltime uint32
	_      int32 // ifra_vhid
	_      int32 // padding
}

type in6Ndireq struct {
	_     [ifNameSize]byte
	_     [5]uint32 // linkmtu to retrans
	flags uint32
	_     int32    // recalctm
	_     uint8    // chlim
	_     uint8    // initialized
	_     [24]byte // randomseed0 to randomid
	_     [2]byte  // padding
}

var (
	_ [in6NdireqSize]byte     = [unsafe.Sizeof(in6Ndireq{})]byte{}
	_ [offNdiFlags]byte       = [unsafe.Offsetof(in6Ndireq{}.flags)]byte{}
	_ [in6AliasreqSize]byte   = [unsafe.Sizeof(in6Aliasreq{})]byte{}
	_ [offIn6AliasName]byte   = [unsafe.Offsetof(in6Aliasreq{}.name)]byte{}
	_ [offIn6AliasAddr]byte   = [unsafe.Offsetof(in6Aliasreq{}.addr)]byte{}
	_ [offIn6AliasMask]byte   = [unsafe.Offsetof(in6Aliasreq{}.mask)]byte{}
	_ [offIn6AliasFlags]byte  = [unsafe.Offsetof(in6Aliasreq{}.flags)]byte{}
	_ [offIn6AliasVltime]byte = [unsafe.Offsetof(in6Aliasreq{}.vltime)]byte{}
	_ [offIn6AliasPltime]byte = [unsafe.Offsetof(in6Aliasreq{}.pltime)]byte{}
	_ [sockaddrIn6Size]byte   = [unsafe.Sizeof(sockaddrIn6{})]byte{}
	_ [offSockaddrIn6]byte    = [unsafe.Offsetof(sockaddrIn6{}.addr)]byte{}
)
