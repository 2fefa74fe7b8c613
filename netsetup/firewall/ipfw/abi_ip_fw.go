package ipfw

import "unsafe"

// The socket option and its operations.
const (
	optIPFW3 = 48 // IP_FW3, sys/netinet/in.h:479
	opVer    = 1  // IP_FW3_OPVER_1, sys/netinet/ip_fw.h:79; since 15.0

	opTableAdd     = 86  // IP_FW_TABLE_XADD, sys/netinet/ip_fw.h:83
	opTableDel     = 87  // IP_FW_TABLE_XDEL, sys/netinet/ip_fw.h:84
	opTableDestroy = 90  // IP_FW_TABLE_XDESTROY, sys/netinet/ip_fw.h:87
	opTableCreate  = 95  // IP_FW_TABLE_XCREATE, sys/netinet/ip_fw.h:91
	opGet          = 97  // IP_FW_XGET, sys/netinet/ip_fw.h:93
	opAdd          = 98  // IP_FW_XADD, sys/netinet/ip_fw.h:94
	opDel          = 99  // IP_FW_XDEL, sys/netinet/ip_fw.h:95
	opSetSwap      = 103 // IP_FW_SET_SWAP, sys/netinet/ip_fw.h:99
	opSetEnable    = 105 // IP_FW_SET_ENABLE, sys/netinet/ip_fw.h:101
	opNATConfig    = 111 // IP_FW_NAT44_XCONFIG, sys/netinet/ip_fw.h:108
	opNATDestroy   = 112 // IP_FW_NAT44_DESTROY, sys/netinet/ip_fw.h:109
	opNATList      = 114 // IP_FW_NAT44_LIST_NAT, sys/netinet/ip_fw.h:111
)

// Opcodes of instructions, enum ipfw_opcodes, sys/netinet/ip_fw.h:169.
const (
	insnSrcMask    = 2  // O_IP_SRC_MASK
	insnSrcMe      = 3  // O_IP_SRC_ME
	insnDst        = 5  // O_IP_DST
	insnDstMask    = 6  // O_IP_DST_MASK
	insnDstMe      = 7  // O_IP_DST_ME
	insnDstPort    = 10 // O_IP_DSTPORT
	insnProto      = 11 // O_PROTO
	insnIn         = 15 // O_IN
	insnRecv       = 17 // O_RECV
	insnXmit       = 18 // O_XMIT
	insnICMPType   = 34 // O_ICMPTYPE
	insnAccept     = 45 // O_ACCEPT
	insnDeny       = 46 // O_DENY
	insnNAT        = 56 // O_NAT
	insnSrcMask6   = 68 // O_IP6_SRC_MASK
	insnDstMe6     = 70 // O_IP6_DST_ME
	insnDstMask6   = 71 // O_IP6_DST_MASK
	insnIP4        = 78 // O_IP4
	insnFlowLookup = 89 // O_IP_FLOW_LOOKUP

	insnNot  = 0x80 // F_NOT, sys/netinet/ip_fw.h:336
	tablearg = 0    // IP_FW_TARG, sys/netinet/ip_fw.h:62
)

// Objects and flags.
const (
	tlvTableName     = 1 // IPFW_TLV_TBL_NAME, sys/netinet/ip_fw.h:922
	tlvTableNameList = 2 // IPFW_TLV_TBLNAME_LIST, :923
	tlvRuleList      = 3 // IPFW_TLV_RULE_LIST, :924
	tlvRule          = 7 // IPFW_TLV_RULE_ENT, :928
	tlvRange         = 9 // IPFW_TLV_RANGE, :930

	rangeRules = 1 // IPFW_RCFLAG_RANGE, :1082
	rangeSet   = 4 // IPFW_RCFLAG_SET, :1084
	getStatic  = 1 // IPFW_CFG_GET_STATIC, :1185

	tableFlow   = 4 // IPFW_TABLE_FLOW, :872
	valueNAT    = 8 // IPFW_VTYPE_NAT, :883
	flowSrcIP   = 1 // IPFW_TFFLAG_SRCIP, :1134
	flowDstIP   = 2
	flowSrcPort = 4
	flowDstPort = 8
	flowProto   = 0x10
	entryUpdate = 1 // IPFW_TF_UPDATE, :1045

	natRedirPort = 2    // NAT44_REDIR_PORT, :638
	natReverse   = 0x80 // PKT_ALIAS_REVERSE, sys/netinet/libalias/alias.h:203

	afInet = 2 // AF_INET, sys/sys/socket.h:220
)

// Layouts, sys/netinet/ip_fw.h; offsets in bytes.
const (
	opHeaderSize = 8 // ip_fw3_opheader, :72
	offOpVersion = 2

	tlvSize      = 8 // ipfw_obj_tlv, :917
	offTLVFlags  = 2
	offTLVLength = 4

	nameSize = 64

	ntlvSize    = 80 // ipfw_obj_ntlv, :945
	offNTLVIdx  = 8
	offNTLVType = 13
	offNTLVName = 16

	ctlvSize     = 16 // ipfw_obj_ctlv, :1065
	offCTLVCount = 8
	offCTLVSize  = 12 // objsize uint16

	objHeaderSize = 96 // ipfw_obj_header, :1168
	offObjNTLV    = 16

	listHeaderSize = 24 // ipfw_obj_lheader, :1177
	offListCount   = 12
	offListSize    = 16
	offListObjSize = 20

	cfgHeaderSize = 32 // ipfw_cfg_lheader, :1188
	offCfgFlags   = 16
	offCfgSize    = 20
	offCfgStart   = 24
	offCfgEnd     = 28

	rangeSize     = 36 // ipfw_range_header, :1198, of which the TLV is 28
	offRangeFlags = 16
	offRangeStart = 20
	offRangeEnd   = 24
	offRangeSet   = 28
	offRangeNew   = 32

	ruleSize      = 16 // struct ip_fw_rule, :733, without instructions
	offRuleCmdLen = 2
	offRuleSet    = 6
	offRuleNumber = 8

	tableInfoSize = 200 // ipfw_xtable_info, :1114
	offTableFlags = 1
	offTableMask  = 12
	offTableAlgo  = 104

	entrySize     = 120 // ipfw_obj_tentry, :1024
	offEntryType  = 8   // subtype
	offEntryFlow  = 16  // struct tflow_entry, :955
	offFlowProto  = 1
	offFlowSport  = 4 // network byte order
	offFlowDport  = 6
	offFlowSIP    = 8
	offFlowDIP    = 12
	offEntryValue = 56 // ipfw_table_value, :1004
	offValueNAT   = 16

	natSize       = 148 // struct nat44_cfg_nat, :658
	offNATIf      = 64
	offNATIP      = 132
	offNATMode    = 136
	offNATRedirs  = 140
	offNATPortLo  = 144
	offNATPortHi  = 146
	redirSize     = 32 // struct nat44_cfg_redir, :642; ports in host byte order
	offRedirLaddr = 0
	offRedirPaddr = 4
	offRedirLport = 12
	offRedirPport = 14
	offRedirPcnt  = 18
	offRedirRcnt  = 20
	offRedirMode  = 22
	offRedirProto = 28
)

// The structures below only prove the offsets above.
type objNTLV struct {
	_    [tlvSize]byte
	idx  uint32
	_    uint8 // set
	kind uint8
	_    uint16
	name [nameSize]byte
}

type tableEntry struct {
	_       [tlvSize]byte
	subtype uint8
	_       [3]uint8
	_       uint32 // idx
	flow    struct {
		af, proto    uint8
		_            uint16
		sport, dport uint16
		sip, dip     uint32
		_            [24]byte // the rest of two IPv6 addresses
	}
	value struct {
		_   uint32    // tag
		_   [2]uint16 // pipe, divert
		_   [2]uint32 // skipto, netgraph
		nat uint32
		_   [44]byte
	}
}

type natConfig struct {
	_      [nameSize]byte // name
	ifName [nameSize]byte
	_      [3]uint32 // size, ip, mode
	redirs uint32
	_      uint16 // alias_port_lo
	portHi uint16
}

type natRedir struct {
	_     [3]uint32 // laddr, paddr, raddr
	_     [3]uint16 // lport, pport, rport
	pcnt  uint16
	_     uint16 // rport_cnt
	mode  uint16
	_     [2]uint16 // spool_cnt, spare
	proto uint32
}

var (
	_ [ntlvSize]byte      = [unsafe.Sizeof(objNTLV{})]byte{}
	_ [offNTLVIdx]byte    = [unsafe.Offsetof(objNTLV{}.idx)]byte{}
	_ [offNTLVType]byte   = [unsafe.Offsetof(objNTLV{}.kind)]byte{}
	_ [offNTLVName]byte   = [unsafe.Offsetof(objNTLV{}.name)]byte{}
	_ [entrySize]byte     = [unsafe.Sizeof(tableEntry{})]byte{}
	_ [offEntryType]byte  = [unsafe.Offsetof(tableEntry{}.subtype)]byte{}
	_ [offEntryFlow]byte  = [unsafe.Offsetof(tableEntry{}.flow)]byte{}
	_ [offEntryValue]byte = [unsafe.Offsetof(tableEntry{}.value)]byte{}
	_ [offFlowSport]byte  = [unsafe.Offsetof(tableEntry{}.flow.sport)]byte{}
	_ [offFlowDIP]byte    = [unsafe.Offsetof(tableEntry{}.flow.dip)]byte{}
	_ [offValueNAT]byte   = [unsafe.Offsetof(tableEntry{}.value.nat)]byte{}
	_ [natSize]byte       = [unsafe.Sizeof(natConfig{})]byte{}
	_ [offNATIf]byte      = [unsafe.Offsetof(natConfig{}.ifName)]byte{}
	_ [offNATRedirs]byte  = [unsafe.Offsetof(natConfig{}.redirs)]byte{}
	_ [offNATPortHi]byte  = [unsafe.Offsetof(natConfig{}.portHi)]byte{}
	_ [redirSize]byte     = [unsafe.Sizeof(natRedir{})]byte{}
	_ [offRedirPcnt]byte  = [unsafe.Offsetof(natRedir{}.pcnt)]byte{}
	_ [offRedirMode]byte  = [unsafe.Offsetof(natRedir{}.mode)]byte{}
	_ [offRedirProto]byte = [unsafe.Offsetof(natRedir{}.proto)]byte{}
)
