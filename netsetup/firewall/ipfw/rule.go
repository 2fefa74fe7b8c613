package ipfw

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

var le = binary.LittleEndian

// Rule is a rule. Its matches must all hold.
type Rule struct {
	Number uint32
	Set    uint8
	Match  []Insn
	Action Insn
}

// Insn is an instruction: a match or an action. One that looks up a table has the
// index of its name among those of the message.
type Insn struct {
	words []uint32
	table string
}

func insn(opcode byte, arg uint16, more ...uint32) Insn {
	words := append([]uint32{uint32(opcode) | uint32(1+len(more))<<8 | uint32(arg)<<16}, more...)
	return Insn{words: words}
}

// words returns an address as the kernel keeps it, in network byte order.
func words(a netip.Addr) []uint32 {
	var list []uint32
	for b := a.AsSlice(); len(b) > 0; b = b[4:] {
		list = append(list, le.Uint32(b))
	}
	return list
}

// address returns an IPv4 address as the kernel keeps it, in network byte order.
func address(a netip.Addr) uint32 {
	b := a.As4()
	return le.Uint32(b[:])
}

// masked returns a match of a subnet: one opcode for IPv4, one for IPv6.
func masked(opcode, opcode6 byte, p netip.Prefix) Insn {
	addr := words(p.Masked().Addr())
	mask := make([]byte, 4*len(addr))
	for i := range p.Bits() {
		mask[i/8] |= 0x80 >> (i % 8)
	}
	for len(mask) > 0 {
		addr, mask = append(addr, le.Uint32(mask)), mask[4:]
	}
	if p.Addr().Is6() {
		opcode = opcode6
	}
	return insn(opcode, 0, addr...)
}

// name returns the words of an interface's name.
func named(opcode byte, name string) Insn {
	var b [16]byte // IFNAMSIZ
	copy(b[:len(b)-1], name)
	words := []uint32{0} // p
	for i := 0; i < len(b); i += 4 {
		words = append(words, le.Uint32(b[i:]))
	}
	return insn(opcode, 0, words...)
}

// Matches and actions.
var (
	IPv4   = insn(insnIP4, 0)
	In     = insn(insnIn, 0)
	Out    = Not(In)
	FromMe = insn(insnSrcMe, 0)
	ToMe   = insn(insnDstMe, 0)
	ToMe6  = insn(insnDstMe6, 0)
	Allow  = insn(insnAccept, 0)
	Deny   = insn(insnDeny, 0)

	// NATTable translates by the instance that the last table lookup gave.
	NATTable = NAT(tablearg)
)

// Not inverts a match.
func Not(i Insn) Insn {
	words := append([]uint32(nil), i.words...)
	words[0] ^= insnNot << 8
	return Insn{words: words, table: i.table}
}

// Proto matches a protocol by its number.
func Proto(n uint8) Insn { return insn(insnProto, uint16(n)) }

// From matches sources in a subnet.
func From(p netip.Prefix) Insn { return masked(insnSrcMask, insnSrcMask6, p) }

// To matches destinations in a subnet.
func To(p netip.Prefix) Insn { return masked(insnDstMask, insnDstMask6, p) }

// ToAddr matches one IPv4 destination.
func ToAddr(a netip.Addr) Insn { return insn(insnDst, 0, address(a)) }

// ToPorts matches destination ports from lo to hi.
func ToPorts(lo, hi uint16) Insn { return insn(insnDstPort, 0, uint32(lo)|uint32(hi)<<16) }

// ICMPTypes matches types of ICMP messages, up to 31.
func ICMPTypes(types ...uint8) Insn {
	var mask uint32
	for _, t := range types {
		mask |= 1 << t
	}
	return insn(insnICMPType, 0, mask)
}

// Recv matches the interface by which a packet came.
func Recv(name string) Insn { return named(insnRecv, name) }

// Xmit matches the interface by which a packet leaves.
func Xmit(name string) Insn { return named(insnXmit, name) }

// Flow matches packets whose addresses, protocol and ports a table has, as far as it
// compares them; the table's value is for [NATTable].
func Flow(table string) Insn {
	i := insn(insnFlowLookup, 0, 0)
	i.table = table
	return i
}

// NAT translates by an instance, from 1 to 65534.
func NAT(instance uint16) Insn {
	return insn(insnNAT, instance, 0, 0, 0) // the rest is padding and a pointer of the kernel's
}

// opHeader begins a message of a whole size.
func opHeader(op uint16, size int) []byte {
	b := make([]byte, size)
	le.PutUint16(b, op)
	le.PutUint16(b[offOpVersion:], opVer)
	return b
}

func putTLV(b []byte, kind uint16, length int) {
	le.PutUint16(b, kind)
	le.PutUint32(b[offTLVLength:], uint32(length))
}

// encodeRules returns the message that adds rules, which are sorted by number.
func encodeRules(rules []Rule) ([]byte, error) {
	names, index := tableNames(rules)
	b := opHeader(opAdd, opHeaderSize)
	if len(names) > 0 {
		list := make([]byte, ctlvSize)
		putTLV(list, tlvTableNameList, ctlvSize+len(names)*ntlvSize)
		le.PutUint32(list[offCTLVCount:], uint32(len(names)))
		le.PutUint16(list[offCTLVSize:], ntlvSize)
		for i, name := range names {
			ntlv, err := encodeName(name, uint32(i+1))
			if err != nil {
				return nil, err
			}
			list = append(list, ntlv...)
		}
		b = append(b, list...)
	}
	list := make([]byte, ctlvSize)
	for _, r := range rules {
		list = append(list, r.encode(index)...)
	}
	putTLV(list, tlvRuleList, len(list))
	le.PutUint32(list[offCTLVCount:], uint32(len(rules)))
	return append(b, list...), nil
}

// tableNames numbers the tables that rules look up, from 1.
func tableNames(rules []Rule) (names []string, index map[string]uint32) {
	index = map[string]uint32{}
	for _, r := range rules {
		for _, i := range r.Match {
			if _, ok := index[i.table]; i.table != "" && !ok {
				names = append(names, i.table)
				index[i.table] = uint32(len(names))
			}
		}
	}
	return names, index
}

// encodeName returns the TLV of a table's name.
func encodeName(name string, idx uint32) ([]byte, error) {
	if name == "" || len(name) >= nameSize {
		return nil, fmt.Errorf("%q is no name of a table: 1 to %d bytes make one", name, nameSize-1)
	}
	b := make([]byte, ntlvSize)
	putTLV(b, tlvTableName, ntlvSize)
	le.PutUint32(b[offNTLVIdx:], idx)
	copy(b[offNTLVName:], name)
	return b, nil
}

func (r Rule) encode(index map[string]uint32) []byte {
	var words []uint32
	for _, i := range r.Match {
		at := len(words)
		words = append(words, i.words...)
		if i.table != "" {
			words[at+1] = index[i.table]
		}
	}
	action := len(words)
	words = append(words, r.Action.words...)
	b := make([]byte, (ruleSize+4*len(words)+7)&^7)
	le.PutUint16(b, uint16(action))
	le.PutUint16(b[offRuleCmdLen:], uint16(len(words)))
	b[offRuleSet] = r.Set
	le.PutUint32(b[offRuleNumber:], r.Number)
	for i, w := range words {
		le.PutUint32(b[ruleSize+4*i:], w)
	}
	return b
}

// encodeRange returns a message about the rules of a set with numbers from first to
// last, or about two sets.
func encodeRange(op uint16, flags, first, last, set, newSet uint32) []byte {
	b := opHeader(op, rangeSize)
	putTLV(b[opHeaderSize:], tlvRange, rangeSize-opHeaderSize)
	for off, v := range map[int]uint32{offRangeFlags: flags, offRangeStart: first, offRangeEnd: last, offRangeSet: set, offRangeNew: newSet} {
		le.PutUint32(b[off:], v)
	}
	return b
}

// encodeGet returns the request for the rules with numbers from first to last, with
// room for an answer of size bytes in all.
func encodeGet(first, last uint32, size int) []byte {
	b := opHeader(opGet, max(size, cfgHeaderSize))
	le.PutUint32(b[offCfgFlags:], getStatic)
	le.PutUint32(b[offCfgStart:], first)
	le.PutUint32(b[offCfgEnd:], last)
	return b
}

// decodeGet returns number and set of the rules in an answer.
func decodeGet(b []byte) ([]Rule, error) {
	if len(b) < cfgHeaderSize {
		return nil, errShort
	}
	var rules []Rule
	for b = b[cfgHeaderSize:]; len(b) > 0; {
		if len(b) < ctlvSize {
			return nil, errShort
		}
		kind, length := le.Uint16(b), le.Uint32(b[offTLVLength:])
		if length < ctlvSize || uint64(length) > uint64(len(b)) {
			return nil, errShort
		}
		if kind == tlvRuleList {
			found, err := decodeRules(b[ctlvSize:length])
			if err != nil {
				return nil, err
			}
			rules = append(rules, found...)
		}
		b = b[length:]
	}
	return rules, nil
}

func decodeRules(b []byte) ([]Rule, error) {
	var rules []Rule
	for len(b) > 0 {
		if len(b) < tlvSize+ruleSize {
			return nil, errShort
		}
		length := le.Uint32(b[offTLVLength:])
		if length < tlvSize+ruleSize || uint64(length) > uint64(len(b)) || le.Uint16(b) != tlvRule {
			return nil, errShort
		}
		rules = append(rules, Rule{Number: le.Uint32(b[tlvSize+offRuleNumber:]), Set: b[tlvSize+offRuleSet]})
		b = b[length:]
	}
	return rules, nil
}
