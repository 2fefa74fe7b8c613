package pf

import "unsafe"

// Requests on /dev/pf (PF_NAME, sys/net/pfvar.h:359).
const (
	diocGetStatusNV  = 0xc0184415 // DIOCGETSTATUSNV, sys/net/pfvar.h:2099
	diocKillStatesNV = 0xc0184429 // DIOCKILLSTATESNV, sys/net/pfvar.h:2113
	diocGetRulesets  = 0xc444443a // DIOCGETRULESETS, sys/net/pfvar.h:2131
	diocGetRuleset   = 0xc444443b // DIOCGETRULESET, sys/net/pfvar.h:2132
	diocXBegin       = 0xc0104451 // DIOCXBEGIN, sys/net/pfvar.h:2152
	diocXCommit      = 0xc0104452 // DIOCXCOMMIT, sys/net/pfvar.h:2153
)

// Rulesets of an anchor, enum at sys/netpfil/pf/pf.h:53.
const (
	rulesetFilter = 1 // PF_RULESET_FILTER
	rulesetNAT    = 2 // PF_RULESET_NAT
	rulesetRDR    = 4 // PF_RULESET_RDR
)

const (
	maxPathLen = 1024 // MAXPATHLEN, sys/sys/syslimits.h:57 (PATH_MAX)
	anchorName = 64   // PF_ANCHOR_NAME_SIZE, sys/netpfil/pf/pf.h:493

	// struct pfioc_ruleset, sys/net/pfvar.h:2026.
	rulesetSize    = 1092
	offRulesetNr   = 0 // nr uint32
	offRulesetPath = 4
	offRulesetName = 1028

	// struct pfioc_trans_e, sys/net/pfvar.h:2038.
	transElementSize = 1032
	offTransRuleset  = 0 // rs_num int32
	offTransAnchor   = 4
	offTransTicket   = 1028 // ticket uint32

	addrAddrMask = 0  // PF_ADDR_ADDRMASK, sys/netpfil/pf/pf.h:128
	afInet       = 2  // AF_INET, sys/sys/socket.h:220
	afInet6      = 28 // AF_INET6, sys/sys/socket.h:255
	pfAddrSize   = 16 // struct pf_addr, sys/netpfil/pf/pf.h
)

// The structures below only prove the offsets above.
type pfiocRuleset struct {
	_    uint32 // nr
	path [maxPathLen]byte
	name [anchorName]byte
}

type transElement struct {
	_      int32 // rs_num
	anchor [maxPathLen]byte
	ticket uint32
}

var (
	_ [rulesetSize]byte      = [unsafe.Sizeof(pfiocRuleset{})]byte{}
	_ [offRulesetPath]byte   = [unsafe.Offsetof(pfiocRuleset{}.path)]byte{}
	_ [offRulesetName]byte   = [unsafe.Offsetof(pfiocRuleset{}.name)]byte{}
	_ [transElementSize]byte = [unsafe.Sizeof(transElement{})]byte{}
	_ [offTransAnchor]byte   = [unsafe.Offsetof(transElement{}.anchor)]byte{}
	_ [offTransTicket]byte   = [unsafe.Offsetof(transElement{}.ticket)]byte{}
)
