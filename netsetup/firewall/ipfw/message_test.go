package ipfw

import (
	"bytes"
	"errors"
	"net/netip"
	"slices"
	"testing"

	"jailshim/internal/captured"
)

var (
	subnet4 = netip.MustParsePrefix("10.87.0.0/16")
	subnet6 = netip.MustParsePrefix("fd00:87::/64")
	host    = netip.MustParseAddr("192.0.2.1")
	inside  = netip.MustParseAddr("10.87.0.11")
	gateway = netip.MustParseAddr("10.87.0.1")
)

// messages returns our message for each vector of one of ipfw(8).
func messages(t *testing.T) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	add := func(name string, b []byte, err error) {
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all[name] = b
	}
	rule := func(name string, number uint32, action Insn, match ...Insn) {
		b, err := encodeRules([]Rule{{Number: number, Set: 29, Match: match, Action: action}})
		add(name, b, err)
	}
	entries := func(name string, op uint16, table string, key FlowKey, e Entry) {
		b, err := encodeEntries(op, table, key, []Entry{e})
		add(name, b, err)
	}
	nat := func(name string, i Instance) {
		b, err := encodeNAT(i)
		add(name, b, err)
	}
	rule("rule-flow", 40, NATTable, IPv4, ToMe, In, Not(Recv("lo0")), Flow("jt_in"))
	rule("rule-ports", 41, NAT(40002), From(subnet4), ToAddr(gateway), ToPorts(61000, 65535), In, Recv("n2br"))
	rule("rule-icmp", 43, NAT(40001), Proto(1), ToMe, ICMPTypes(0, 3, 4, 11, 12), In, Recv("hn2out"))
	rule("rule-ipv6", 49, Allow, From(subnet6), Out, Xmit("n2br"))
	rule("rule-deny", 48, Deny, From(subnet4), To(subnet4), Not(ToAddr(gateway)), In, Recv("n2br"))
	b, err := encodeTable("jt_new", ByDestination)
	add("table-create", b, err)
	entries("table-add-in", opTableAdd, "jt_in", ByDestination, Entry{Addr: host, Proto: 6, Port: 8080, NAT: 41000})
	entries("table-add-out", opTableAdd, "jt_out", BySource, Entry{Addr: inside, Proto: 17, Port: 80, NAT: 41001})
	entries("table-delete", opTableDel, "jt_in", ByDestination, Entry{Addr: host, Proto: 6, Port: 8080})
	b, err = objHeader(opTableDestroy, "jt_out", 0, objHeaderSize)
	add("table-destroy", b, err)
	nat("nat-redirect", Instance{Number: 41000, Addr: host, Redirects: []Redirect{{Proto: 6, Alias: host, AliasPort: 8080, To: inside, ToPort: 80, Count: 3}}})
	nat("nat-reverse", Instance{Number: 41001, Addr: host, Reverse: true, Redirects: []Redirect{{Proto: 17, Alias: host, AliasPort: 8080, To: inside, ToPort: 80, Count: 1}}})
	nat("nat-masquerade", Instance{Number: 40001, Addr: gateway, PortLo: 61000, PortHi: 65535})
	add("rules-delete", encodeRange(opDel, rangeSet, 0, 0, 29, 0), nil)
	add("sets-swap", encodeRange(opSetSwap, 0, 0, 0, 29, 30), nil)
	add("set-disable", encodeRange(opSetEnable, 0, 0, 0, 1<<29, 0), nil)
	return all
}

func TestEncode_IsWhatIPFWSends(t *testing.T) {
	for name, got := range messages(t) {
		want := captured.Bytes(t, name)
		if name == "rule-flow" {
			// ipfw(8) says that the table is of the rule's set, which only counts with
			// net.inet.ip.fw.tables_sets=1. Ours is always of set 0: rules change sets.
			want[0x24] = 0
		}
		if name == "table-delete" {
			want[0x72] = got[0x72] // IPFW_TF_UPDATE, which is for adding
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s:\ngot  %x\nwant %x", name, got, want)
		}
	}
}

func TestEncode_RefusesBadNames(t *testing.T) {
	long := string(bytes.Repeat([]byte("x"), nameSize))
	for name, encode := range map[string]func() error{
		"table":        func() error { _, err := encodeTable(long, BySource); return err },
		"no table":     func() error { _, err := encodeTable("", BySource); return err },
		"rule's table": func() error { _, err := encodeRules([]Rule{{Match: []Insn{Flow(long)}, Action: Allow}}); return err },
		"instance":     func() error { _, err := encodeNAT(Instance{Addr: host}); return err },
		"interface":    func() error { _, err := encodeNAT(Instance{Number: 1, Addr: host, Interface: long}); return err },
		"IPv6 entry": func() error {
			_, err := encodeEntries(opTableAdd, "x", BySource, []Entry{{Addr: subnet6.Addr()}})
			return err
		},
	} {
		if encode() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// Two rules that look up one table name it once.
func TestEncodeRules_NumbersTables(t *testing.T) {
	names, index := tableNames([]Rule{{Match: []Insn{Flow("a")}}, {Match: []Insn{In, Not(Flow("b")), Flow("a")}}})
	if !slices.Equal(names, []string{"a", "b"}) || index["a"] != 1 || index["b"] != 2 || index[""] != 0 {
		t.Errorf("got %v, %v", names, index)
	}
}

func TestDecodeGet(t *testing.T) {
	got, err := decodeGet(captured.Bytes(t, vectorRules))
	if err != nil || len(got) < 2 || got[0].Number != 40 || got[0].Set != 29 || got[1].Number != 43 {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestDecodeNATList(t *testing.T) {
	got, err := decodeNATList(captured.Bytes(t, vectorNATs))
	if err != nil || !slices.Equal(got, []uint16{41000, 40001}) {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestRequests_TellTheirRoom(t *testing.T) {
	b := encodeGet(40, 49, 4096)
	if len(b) != 4096 || le.Uint16(b) != opGet || le.Uint32(b[offCfgStart:]) != 40 || le.Uint32(b[offCfgEnd:]) != 49 || le.Uint32(b[offCfgFlags:]) != getStatic {
		t.Errorf("got %x", b[:cfgHeaderSize])
	}
	if got := len(encodeGet(1, 1, 0)); got != cfgHeaderSize {
		t.Errorf("%d bytes", got)
	}
	b = encodeNATList(2)
	if len(b) != listHeaderSize+2*natSize || le.Uint16(b) != opNATList || int(le.Uint32(b[offListSize:])) != len(b) {
		t.Errorf("got %x", b[:listHeaderSize])
	}
}

// A part of a message must not be taken for the whole.
func TestDecode_Prefixes(t *testing.T) {
	whole := captured.Bytes(t, vectorRules)
	for n := range whole {
		// What ends between two lists is a message of fewer lists.
		if got, err := decodeGet(whole[:n]); err == nil && len(got) > 0 {
			t.Errorf("%d bytes of %d: %v", n, len(whole), got)
		}
	}
	whole = captured.Bytes(t, vectorNATs)
	for n := range whole {
		if _, err := decodeNATList(whole[:n]); err == nil {
			t.Errorf("%d bytes of %d are a list", n, len(whole))
		}
	}
}

func FuzzDecodeGet(f *testing.F) {
	f.Add(captured.Bytes(f, vectorRules))
	f.Fuzz(func(_ *testing.T, b []byte) { _, _ = decodeGet(b) })
}

func FuzzDecodeNATList(f *testing.F) {
	f.Add(captured.Bytes(f, vectorNATs))
	f.Fuzz(func(_ *testing.T, b []byte) { _, _ = decodeNATList(b) })
}

func TestError_TextAndErrno(t *testing.T) {
	err := &Error{Op: "IP_FW_XADD", Object: "x", Errno: 1}
	if got, want := err.Error(), "IP_FW_XADD x: operation not permitted"; got != want || !errors.Is(err, err.Errno) {
		t.Errorf("got %q, want %q", got, want)
	}
	if !errors.Is(ErrUnsupported, errors.ErrUnsupported) || !errors.Is(ErrOld, errors.ErrUnsupported) {
		t.Error("not wrapped")
	}
}
