package link

import "unsafe"

// Commands of a bridge, for ifd_cmd, sys/net/if_bridgevar.h. Those used take a struct
// ifbreq.
const (
	brdgAdd     = 0 // BRDGADD, sys/net/if_bridgevar.h:94
	brdgDel     = 1 // BRDGDEL, sys/net/if_bridgevar.h:95
	brdgGIfFlgs = 2 // BRDGGIFFLGS, sys/net/if_bridgevar.h:96
	brdgSIfFlgs = 3 // BRDGSIFFLGS, sys/net/if_bridgevar.h:97
)

// struct ifbreq, sys/net/if_bridgevar.h:147.
const (
	ifbreqSize     = 80
	offIfbrIfsName = 0  // ifbr_ifsname
	offIfbrFlags   = 16 // ifbr_ifsflags uint32
)

// Flags of a bridge's member, sys/net/if_bridgevar.h.
const (
	ifbifLearning = 0x1   // IFBIF_LEARNING, sys/net/if_bridgevar.h:166
	ifbifDiscover = 0x2   // IFBIF_DISCOVER, sys/net/if_bridgevar.h:167
	ifbifAutoEdge = 0x40  // IFBIF_BSTP_AUTOEDGE, sys/net/if_bridgevar.h:172
	ifbifAutoPTP  = 0x100 // IFBIF_BSTP_AUTOPTP, sys/net/if_bridgevar.h:174
	ifbifPrivate  = 0x800 // IFBIF_PRIVATE, sys/net/if_bridgevar.h:177

	// What the kernel gives a new member, sys/net/if_bridge.c and bridgestp.c.
	ifbifNew = ifbifLearning | ifbifDiscover | ifbifAutoEdge | ifbifAutoPTP
)

// ifbreq only proves the offsets above.
type ifbreq struct {
	ifsname  [ifNameSize]byte
	ifsflags uint32
	_        [2]uint32 // ifbr_stpflags, ifbr_path_cost
	_        [5]uint8  // ifbr_portno to ifbr_state
	_        [3]uint32 // ifbr_addrcnt to ifbr_addrexceeded
	_        [2]uint16 // ifbr_pvid, ifbr_vlanproto; padding before 15.0
	_        [28]byte  // pad
}

var (
	_ [ifbreqSize]byte     = [unsafe.Sizeof(ifbreq{})]byte{}
	_ [offIfbrIfsName]byte = [unsafe.Offsetof(ifbreq{}.ifsname)]byte{}
	_ [offIfbrFlags]byte   = [unsafe.Offsetof(ifbreq{}.ifsflags)]byte{}
)
