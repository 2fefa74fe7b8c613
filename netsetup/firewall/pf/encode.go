package pf

import (
	"bytes"
	"fmt"
	"net/netip"
)

// encodeKill returns what DIOCKILLSTATESNV takes to drop the states from or to an
// address, and those that belong to them. Of an outgoing state that translates, the
// kernel compares the addresses on the wire, or with nat those behind the translation;
// releases before 15 don't know nat and skip it.
//
// The pairs are those of libpfctl's _pfctl_clear_states (lib/libpfctl/libpfctl.c) and
// of pf_nvstate_kill_to_kstate_kill (sys/netpfil/pf/pf_nv.c:847).
func encodeKill(a netip.Addr, source, nat bool) []byte {
	family, any := uint64(afInet), netip.PrefixFrom(a, 0)
	if a.Is6() {
		family = afInet6
	}
	from, to := netip.PrefixFrom(a, a.BitLen()), any
	if !source {
		from, to = to, from
	}
	w := newNV()
	w.list("cmp", func() {
		w.number("id", 0)
		w.number("creatorid", 0)
		w.number("direction", 0)
	})
	w.number("af", family)
	w.number("proto", 0)
	w.ruleAddr("src", from)
	w.ruleAddr("dst", to)
	w.string("ifname", "")
	w.string("label", "")
	w.bool("kill_match", true)
	w.bool("nat", nat)
	return w.bytes()
}

// ruleAddr appends a struct pf_rule_addr.
func (w *nvWriter) ruleAddr(name string, p netip.Prefix) {
	addr, mask := [pfAddrSize]byte{}, [pfAddrSize]byte{}
	if p.Bits() > 0 {
		copy(addr[:], p.Addr().AsSlice())
		for i := range p.Bits() {
			mask[i/8] |= 0x80 >> (i % 8)
		}
	}
	w.list(name, func() {
		w.list("addr", func() {
			w.number("type", addrAddrMask)
			w.number("iflags", 0)
			w.list("addr", func() { w.binary("addr", addr[:]) })
			w.list("mask", func() { w.binary("addr", mask[:]) })
		})
		w.numbers("port", 0, 0)
		w.number("neg", 0)
		w.number("port_op", 0)
	})
}

// encodeRuleset returns the argument of DIOCGETRULESETS and DIOCGETRULESET.
func encodeRuleset(path string, nr uint32) ([]byte, error) {
	if len(path) >= maxPathLen {
		return nil, fmt.Errorf("the name of an anchor has %d bytes, more than %d", len(path), maxPathLen-1)
	}
	b := make([]byte, rulesetSize)
	le.PutUint32(b[offRulesetNr:], nr)
	copy(b[offRulesetPath:], path)
	return b, nil
}

// decodeRuleset returns the number and the name that came back.
func decodeRuleset(b []byte) (nr uint32, name string, err error) {
	if len(b) != rulesetSize {
		return 0, "", fmt.Errorf("a ruleset of %d bytes, not %d", len(b), rulesetSize)
	}
	text, _, ok := bytes.Cut(b[offRulesetName:], []byte{0})
	if !ok {
		return 0, "", fmt.Errorf("the name of an anchor does not end")
	}
	return le.Uint32(b[offRulesetNr:]), string(text), nil
}

// flushed are the rulesets that an anchor of ours has rules in.
var flushed = []uint32{rulesetFilter, rulesetNAT, rulesetRDR}

// encodeTransaction returns the elements of a transaction on an anchor's rulesets.
func encodeTransaction(anchor string) ([]byte, error) {
	if len(anchor) >= maxPathLen {
		return nil, fmt.Errorf("the name of an anchor has %d bytes, more than %d", len(anchor), maxPathLen-1)
	}
	b := make([]byte, len(flushed)*transElementSize)
	for i, ruleset := range flushed {
		e := b[i*transElementSize:]
		le.PutUint32(e[offTransRuleset:], ruleset)
		copy(e[offTransAnchor:], anchor)
	}
	return b, nil
}
