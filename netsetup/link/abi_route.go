package link

import "unsafe"

// Messages of the routing socket, sys/net/route.h.
const (
	rtmVersion = 5   // RTM_VERSION, sys/net/route.h:270
	rtmAdd     = 0x1 // RTM_ADD, sys/net/route.h:286
	rtmDelete  = 0x2 // RTM_DELETE, sys/net/route.h:287
	rtmNewAddr = 0xc // RTM_NEWADDR, sys/net/route.h:297
	rtmIfInfo  = 0xe // RTM_IFINFO, sys/net/route.h:299

	rtfUp      = 0x1   // RTF_UP, sys/net/route.h:172
	rtfGateway = 0x2   // RTF_GATEWAY, sys/net/route.h:173
	rtfStatic  = 0x800 // RTF_STATIC, sys/net/route.h:185

	rtaDst     = 0x1  // RTA_DST, sys/net/route.h:326
	rtaGateway = 0x2  // RTA_GATEWAY, sys/net/route.h:327
	rtaNetmask = 0x4  // RTA_NETMASK, sys/net/route.h:328
	rtaIfp     = 0x10 // RTA_IFP, sys/net/route.h:330
	rtaIfa     = 0x20 // RTA_IFA, sys/net/route.h:331
	rtaxMax    = 8    // RTAX_MAX, sys/net/route.h:348

	// Addresses in a message begin at multiples of this: SA_SIZE,
	// sys/net/route.h:374.
	sockaddrAlign = 8
)

// struct rt_msghdr, sys/net/route.h:254.
const (
	rtMsghdrSize  = 152
	offRtmMsglen  = 0  // rtm_msglen uint16, bytes
	offRtmVersion = 2  // rtm_version uint8
	offRtmType    = 3  // rtm_type uint8
	offRtmFlags   = 8  // rtm_flags int32
	offRtmAddrs   = 12 // rtm_addrs int32
)

// rtMsghdr only proves the offsets above.
type rtMsghdr struct {
	msglen  uint16
	version uint8
	typ     uint8
	_       [2]uint16 // rtm_index and padding
	flags   int32
	addrs   int32
	_       [4]int32   // rtm_pid to rtm_fmask
	_       [15]uint64 // rtm_inits, rtm_rmx
}

var (
	_ [rtMsghdrSize]byte  = [unsafe.Sizeof(rtMsghdr{})]byte{}
	_ [offRtmMsglen]byte  = [unsafe.Offsetof(rtMsghdr{}.msglen)]byte{}
	_ [offRtmVersion]byte = [unsafe.Offsetof(rtMsghdr{}.version)]byte{}
	_ [offRtmType]byte    = [unsafe.Offsetof(rtMsghdr{}.typ)]byte{}
	_ [offRtmFlags]byte   = [unsafe.Offsetof(rtMsghdr{}.flags)]byte{}
	_ [offRtmAddrs]byte   = [unsafe.Offsetof(rtMsghdr{}.addrs)]byte{}
)
