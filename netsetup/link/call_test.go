package link

import (
	"bytes"
	"encoding/json"
	"net"
	"net/netip"
	"reflect"
	"slices"
	"testing"

	"jailshim/internal/captured"
)

// vectorMember is what the pointer of a bridge's request leads to.
const vectorMember = "net-ifbreq-BRDGADD-ch1"

// callVectors are calls, by the vectors of what the kernel took from others who made
// them.
func callVectors() map[string]Call {
	return map[string]Call{
		"net-SIOCAIFADDR-eth0-10-88-0-2-sent":            AddAddress("eth0", netip.MustParsePrefix("10.88.0.2/24")),
		"net-SIOCAIFADDR-IN6-NODAD-eth0-fd00-88--2-sent": AddAddress("eth0", netip.MustParsePrefix("fd00:88::2/64")),
		"net-SIOCAIFADDR-lo0-127-0-0-1-sent":             AddAddress("lo0", loopback4),
		"net-SIOCAIFADDR-IN6-NODAD-lo0---1-sent":         AddAddress("lo0", loopback6),
		"net-SIOCIFDESTROY-ch1-sent":                     Destroy("ch1"),
		"net-SIOCSDRVSPEC-BRDGADD-ctr0-ch1-sent":         AddMember("ctr0", "ch1"),
		"net-SIOCSIFFLAGS-up-eth0-sent":                  SetFlags("eth0", 0x8843),
		"net-SIOCSIFFLAGS-up-lo0-sent":                   Loopback()[1],
		"net-SIOCSIFLLADDR-cj1-sent":                     SetMAC("cj1", net.HardwareAddr{2, 0xaa, 0, 0, 0, 1}),
		"net-SIOCSIFMTU-ch1-1450-sent":                   SetMTU("ch1", 1450),
		"net-SIOCSIFNAME-cj1-eth0-sent":                  Rename("cj1", "eth0"),
		"net-SIOCSIFVNET-cj1-sent":                       MoveTo("cj1", 43),
		"net-SIOCSIFRVNET-reclaim-sent":                  MoveBack("epair2b", 47),
		"net-rtm-add-default-sent":                       AddRoute(netip.MustParsePrefix("0.0.0.0/0"), netip.MustParseAddr("10.99.0.1")),
	}
}

func TestCalls_AreWhatTheKernelTook(t *testing.T) {
	for name, c := range callVectors() {
		want := captured.Bytes(t, name)
		if len(c.Indirect) > 0 {
			clear(want[c.Offset:][:8]) // an address in the process that was watched
		}
		if c.Family == afRoute {
			clear(want[16:24]) // its pid and its number for the message
			clear(c.Data[16:24])
		}
		if !bytes.Equal(c.Data, want) {
			t.Errorf("%s:\ngot  %x\nwant %x", name, c.Data, want)
		}
	}
	if got, want := AddMember("ctr0", "ch1").Indirect, captured.Bytes(t, vectorMember); !bytes.Equal(got, want) {
		t.Errorf("%s:\ngot  %x\nwant %x", vectorMember, got, want)
	}
	if got, want := GetND6("eth0").Data, captured.Bytes(t, vectorND6Request); !bytes.Equal(got, want) {
		t.Errorf("%s:\ngot  %x\nwant %x", vectorND6Request, got, want)
	}
}

// An ioctl's number holds the direction and the size of its argument.
func TestCalls_NumbersHoldTheSizes(t *testing.T) {
	const out, in = 0x40000000, 0x80000000 // IOC_OUT, IOC_IN, sys/sys/ioccom.h:54
	a4, a6, mac := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("fd00::1"), net.HardwareAddr{2, 0, 0, 0, 0, 1}
	for i, c := range []struct {
		call              Call
		direction, number uint64
	}{
		{Create("epair", 7), in | out, 124}, {Destroy("a"), in, 121}, {Rename("a", "b"), in, 40},
		{SetMTU("a", 1), in, 52}, {SetMAC("a", mac), in, 60}, {SetFlags("a", 1), in, 16}, {GetFlags("a"), in | out, 17},
		{SetDescription("a", "b"), in, 41}, {AddGroup("a", "b"), in, 135}, {GetCaps("a"), in | out, 31},
		{MoveTo("a", 1), in | out, 90}, {MoveBack("a", 1), in | out, 91},
		{AddAddress("a", netip.PrefixFrom(a4, 8)), in, 43}, {AddAddress("a", netip.PrefixFrom(a6, 8)), in, 27},
		{DeleteAddress("a", a4), in, 25}, {DeleteAddress("a", a6), in, 25},
		{GetND6("a"), in | out, 108}, {FreshIPv6("a")[1], in | out, 109},
		{AddMember("a", "b"), in, 123}, {DeleteMember("a", "b"), in, 123}, {SetPrivate("a", "b", true), in, 123}, {GetMember("a", "b"), in | out, 123},
	} {
		if want := c.direction | uint64(len(c.call.Data))<<16 | 'i'<<8 | c.number; c.call.Request != want {
			t.Errorf("%d: %s: request %#x, want %#x", i, c.call.What, c.call.Request, want)
		}
		if c.call.Data[0] != 'a' && i != 0 {
			t.Errorf("%d: %s: does not begin with the name: %x", i, c.call.What, c.call.Data)
		}
		if n := len(c.call.Indirect); n > 0 && c.call.Offset+8 > len(c.call.Data) {
			t.Errorf("%d: %s: no room for an address at %d", i, c.call.What, c.call.Offset)
		}
	}
}

func TestCalls_LongNamesEndInNUL(t *testing.T) {
	const long = "a name of more than fifteen bytes"
	for _, c := range []Call{Destroy(long), AddMember(long, long), AddGroup(long, long), AddAddress(long, loopback6)} {
		if got, want := string(c.Data[:ifNameSize]), "a name of more \x00"; got != want {
			t.Errorf("%s: %q, want %q", c.What, got, want)
		}
	}
	if got := AddGroup(long, long).Data[offIfgrGroup:]; string(got) != "a name of more \x00" {
		t.Errorf("group %q", got)
	}
}

func TestFlags_BothHalves(t *testing.T) {
	const flags = 0x81230043
	c := SetFlags("a", flags)
	if got := c.Flags(); got != flags {
		t.Errorf("got %#x, want %#x", got, flags)
	}
	if want := []byte{0x43, 0, 0x23, 0x81}; !bytes.Equal(c.Data[offIfrFlags:][:4], want) {
		t.Errorf("got %x, want %x", c.Data[offIfrFlags:][:4], want)
	}
}

func TestND6_KeepsTheOtherFlags(t *testing.T) {
	answer := Call{Data: captured.Bytes(t, vectorND6)} // 0x29
	answer.Data[offNdiFlags] |= nd6AcceptRtAdv
	calls := EnableIPv6("eth0", answer)
	const kept = nd6PerformNUD | nd6AcceptRtAdv | nd6AutoLinkLocal | nd6NoDAD
	for i, want := range []uint32{kept | nd6Disabled, kept} {
		if got := le.Uint32(calls[i].Data[offNdiFlags:]); got != want {
			t.Errorf("call %d: flags %#x, want %#x", i, got, want)
		}
	}
}

func TestNoTXChecksums(t *testing.T) {
	answer := GetCaps("a")
	if _, ok := NoTXChecksums("a", answer); ok {
		t.Error("something is to be done about an interface that offloads nothing")
	}
	le.PutUint32(answer.Data[offIfrCurCap:], 0x60001b) // an epair of 15.1
	c, ok := NoTXChecksums("a", answer)
	if got := le.Uint32(c.Data[offIfrReqCap:]); !ok || got != 0x200019 {
		t.Errorf("capabilities %#x, %v", got, ok)
	}
}

func TestMember_Private(t *testing.T) {
	for _, private := range []bool{true, false} {
		if got := SetPrivate("b", "m", private).Private(); got != private {
			t.Errorf("got %v, want %v", got, private)
		}
	}
}

func TestMask(t *testing.T) {
	for prefix, want := range map[string]string{
		"10.0.0.0/0": "0.0.0.0", "10.0.0.0/1": "128.0.0.0", "10.0.0.0/15": "255.254.0.0", "10.0.0.0/32": "255.255.255.255",
		"fd00::/65": "ffff:ffff:ffff:ffff:8000::",
	} {
		if got := mask(netip.MustParsePrefix(prefix)).String(); got != want {
			t.Errorf("%s: got %s, want %s", prefix, got, want)
		}
	}
}

// A route's addresses begin at multiples of eight bytes.
func TestRoute_IPv6(t *testing.T) {
	c := AddRoute(netip.MustParsePrefix("fd01::/64"), netip.MustParseAddr("fd00::1"))
	if want := rtMsghdrSize + 3*32; len(c.Data) != want || int(le.Uint16(c.Data)) != want {
		t.Fatalf("%d bytes, %d said, want %d", len(c.Data), le.Uint16(c.Data), want)
	}
	addrs, err := decodeSockaddrs(c.Data[rtMsghdrSize:], le.Uint32(c.Data[offRtmAddrs:]))
	if err != nil {
		t.Fatal(err)
	}
	if p, ok := decodePrefix(addrs[rtaDst], addrs[rtaNetmask]); !ok || p.String() != "fd01::/64" {
		t.Errorf("destination %v", p)
	}
}

// Calls are handed to other processes.
func TestCall_SurvivesJSON(t *testing.T) {
	for _, c := range append(Loopback(), Rename("a", "b"), AddMember("a", "b")) {
		b, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		var got Call
		if err := json.Unmarshal(b, &got); err != nil || !reflect.DeepEqual(got, c) {
			t.Errorf("%v:\ngot  %+v\nwant %+v", err, got, c)
		}
	}
}

func TestAllowing_DoesNotShare(t *testing.T) {
	c := Destroy("a")
	c.Allow = slices.Grow(c.Allow, 4)
	x, y := c.Allowing(errExist), c.Allowing(errSrch)
	if x.Allow[1] != errExist || y.Allow[1] != errSrch || len(c.Allow) != 1 {
		t.Errorf("%v, %v, %v", x.Allow, y.Allow, c.Allow)
	}
}
