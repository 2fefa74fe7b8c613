package link

import "unsafe"

// struct ifreq, sys/net/if.h:457, and what its union holds for each request.
const (
	ifreqSize     = 32
	ifNameSize    = 16     // IFNAMSIZ, sys/net/if.h:55; NUL included
	offIfrName    = 0      // ifr_name
	offIfrFlags   = 16     // ifr_flags, low 16 bits
	offIfrFlags2  = 18     // ifr_flagshigh, high 16 bits
	offIfrMTU     = 16     // ifr_mtu int32, bytes
	offIfrJID     = 16     // ifr_jid int32
	offIfrData    = 16     // ifr_data, a pointer
	offIfrAddr    = 16     // ifr_addr, struct sockaddr
	offIfrReqCap  = 16     // ifr_reqcap int32
	offIfrCurCap  = 20     // ifr_curcap int32
	offIfrBufLen  = 16     // ifr_buffer.length uint64, bytes
	offIfrBufData = 24     // ifr_buffer.buffer, a pointer
	ifMaxUnit     = 0x7fff // IF_MAXUNIT, sys/net/if.h:56
)

// struct ifgroupreq, sys/net/if.h:589.
const (
	ifgroupreqSize = 40
	offIfgrGroup   = 24 // ifgr_group
)

// struct ifdrv, sys/net/if.h:533.
const (
	ifdrvSize  = 40
	offIfdCmd  = 16 // ifd_cmd uint64
	offIfdLen  = 24 // ifd_len uint64, bytes
	offIfdData = 32 // ifd_data, a pointer
)

// Flags of an interface, sys/net/if.h.
const (
	FlagUp        = 0x1    // IFF_UP, sys/net/if.h:139
	flagLoopback  = 0x8    // IFF_LOOPBACK, sys/net/if.h:142
	flagMulticast = 0x8000 // IFF_MULTICAST, sys/net/if.h:155
)

// Capabilities of an interface, sys/net/if.h:224 on. Those of epair since 15.1: before,
// there is nothing to turn off.
const (
	capTXCsum  = 1 << 1  // IFCAP_TXCSUM: IFCAP_B_TXCSUM, sys/net/if.h:225
	capTXCsum6 = 1 << 22 // IFCAP_TXCSUM_IPV6: IFCAP_B_TXCSUM_IPV6, sys/net/if.h:246
)

// Types of interfaces, sys/net/if_types.h.
const (
	TypeEthernet = 0x06 // IFT_ETHER, sys/net/if_types.h:50
	TypeBridge   = 0xd1 // IFT_BRIDGE, sys/net/if_types.h:243
)

// struct if_msghdrl, sys/net/if.h:348, and struct ifa_msghdrl, :390. Their first
// twenty bytes are alike.
const (
	offIfmMsglen  = 0  // ifm_msglen uint16, bytes of the whole message
	offIfmVersion = 2  // ifm_version uint8
	offIfmType    = 3  // ifm_type uint8
	offIfmAddrs   = 4  // ifm_addrs int32, bits RTA_
	offIfmFlags   = 8  // ifm_flags int32
	offIfmIndex   = 12 // ifm_index uint16
	offIfmLen     = 16 // ifm_len uint16: the addresses begin there
	offIfmDataOff = 18 // ifm_data_off uint16
	ifmPrefix     = 20
)

// struct if_data, sys/net/if.h:74.
const (
	offIfiType = 0 // ifi_type uint8
	offIfiMTU  = 8 // ifi_mtu uint32, bytes
	ifiPrefix  = 12
)

// struct sockaddr_dl, sys/net/if_dl.h:58.
const (
	offSdlNlen = 5 // sdl_nlen uint8, bytes of the name
	offSdlAlen = 6 // sdl_alen uint8, bytes of the address
	offSdlData = 8 // sdl_data: name, then address
)

// The types below only prove the offsets above.
type ifreq struct {
	name   [ifNameSize]byte
	flags  uint16
	flags2 uint16
	curcap int32
	buffer uint64
}

type ifgroupreq struct {
	_     [ifNameSize]byte
	_     uint32 // ifgr_len
	_     uint32 // padding: the union holds a pointer
	group [ifNameSize]byte
}

type ifdrv struct {
	_    [ifNameSize]byte
	cmd  uint64
	len  uint64
	data uint64
}

type ifMsghdrl struct {
	msglen  uint16
	version uint8
	typ     uint8
	addrs   int32
	flags   int32
	index   uint16
	_       uint16
	len     uint16
	dataOff uint16
}

type ifData struct {
	typ uint8
	_   [7]byte // ifi_physical to ifi_datalen
	mtu uint32
}

type sockaddrDL struct {
	_    [5]byte // sdl_len to sdl_type
	nlen uint8
	alen uint8
	_    uint8 // sdl_slen
	data [46]byte
}

var (
	_ [ifreqSize]byte      = [unsafe.Sizeof(ifreq{})]byte{}
	_ [offIfrName]byte     = [unsafe.Offsetof(ifreq{}.name)]byte{}
	_ [offIfrFlags]byte    = [unsafe.Offsetof(ifreq{}.flags)]byte{}
	_ [offIfrFlags2]byte   = [unsafe.Offsetof(ifreq{}.flags2)]byte{}
	_ [offIfrCurCap]byte   = [unsafe.Offsetof(ifreq{}.curcap)]byte{}
	_ [offIfrBufData]byte  = [unsafe.Offsetof(ifreq{}.buffer)]byte{}
	_ [ifgroupreqSize]byte = [unsafe.Sizeof(ifgroupreq{})]byte{}
	_ [offIfgrGroup]byte   = [unsafe.Offsetof(ifgroupreq{}.group)]byte{}
	_ [ifdrvSize]byte      = [unsafe.Sizeof(ifdrv{})]byte{}
	_ [offIfdCmd]byte      = [unsafe.Offsetof(ifdrv{}.cmd)]byte{}
	_ [offIfdLen]byte      = [unsafe.Offsetof(ifdrv{}.len)]byte{}
	_ [offIfdData]byte     = [unsafe.Offsetof(ifdrv{}.data)]byte{}
	_ [ifmPrefix]byte      = [unsafe.Sizeof(ifMsghdrl{})]byte{}
	_ [offIfmMsglen]byte   = [unsafe.Offsetof(ifMsghdrl{}.msglen)]byte{}
	_ [offIfmVersion]byte  = [unsafe.Offsetof(ifMsghdrl{}.version)]byte{}
	_ [offIfmType]byte     = [unsafe.Offsetof(ifMsghdrl{}.typ)]byte{}
	_ [offIfmAddrs]byte    = [unsafe.Offsetof(ifMsghdrl{}.addrs)]byte{}
	_ [offIfmFlags]byte    = [unsafe.Offsetof(ifMsghdrl{}.flags)]byte{}
	_ [offIfmIndex]byte    = [unsafe.Offsetof(ifMsghdrl{}.index)]byte{}
	_ [offIfmLen]byte      = [unsafe.Offsetof(ifMsghdrl{}.len)]byte{}
	_ [offIfmDataOff]byte  = [unsafe.Offsetof(ifMsghdrl{}.dataOff)]byte{}
	_ [ifiPrefix]byte      = [unsafe.Sizeof(ifData{})]byte{}
	_ [offIfiType]byte     = [unsafe.Offsetof(ifData{}.typ)]byte{}
	_ [offIfiMTU]byte      = [unsafe.Offsetof(ifData{}.mtu)]byte{}
	_ [offSdlNlen]byte     = [unsafe.Offsetof(sockaddrDL{}.nlen)]byte{}
	_ [offSdlAlen]byte     = [unsafe.Offsetof(sockaddrDL{}.alen)]byte{}
	_ [offSdlData]byte     = [unsafe.Offsetof(sockaddrDL{}.data)]byte{}
)
