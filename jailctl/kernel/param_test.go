package kernel

import (
	"bytes"
	"errors"
	"net/netip"
	"slices"
	"syscall"
	"testing"

	"jailshim/internal/captured"
)

func TestParam_Encodings(t *testing.T) {
	addrs := func(texts ...string) []netip.Addr {
		var a []netip.Addr
		for _, s := range texts {
			a = append(a, netip.MustParseAddr(s))
		}
		return a
	}
	ip4, err4 := IPv4("ip4.addr", addrs("10.77.0.5", "10.77.0.3"))
	ip6, err6 := IPv6("ip6.addr", addrs("fd00::1"))
	none, errNone := IPv4("ip4.addr", nil)
	if err := errors.Join(err4, err6, errNone); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		got   Param
		name  string
		value []byte
	}{
		{String("host.hostname", "ab"), "host.hostname", []byte{'a', 'b', 0}},
		{String("meta.k", ""), "meta.k", []byte{0}},
		{Int("securelevel", -1), "securelevel", []byte{255, 255, 255, 255}},
		{Int("vnet", New), "vnet", []byte{1, 0, 0, 0}},
		{ULong("host.hostid", 0x0102030405060708), "host.hostid", []byte{8, 7, 6, 5, 4, 3, 2, 1}},
		{Bool("persist", true), "persist", nil},
		{Bool("persist", false), "nopersist", nil},
		{Bool("allow.mount.zfs", true), "allow.mount.zfs", nil},
		{Bool("allow.mount.zfs", false), "allow.mount.nozfs", nil},
		{ip4, "ip4.addr", []byte{10, 77, 0, 5, 10, 77, 0, 3}},
		{ip6, "ip6.addr", []byte{0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}},
		{none, "ip4.addr", nil},
	} {
		if c.got.Name != c.name || !bytes.Equal(c.got.Value, c.value) || c.value == nil && c.got.Value != nil {
			t.Errorf("got %q = %v, want %q = %v", c.got.Name, c.got.Value, c.name, c.value)
		}
	}
}

func TestParam_AddressOfAnotherFamily_Refused(t *testing.T) {
	for _, a := range []string{"fd00::1", "::ffff:10.0.0.1"} {
		if p, err := IPv4("ip4.addr", []netip.Addr{netip.MustParseAddr(a)}); err == nil {
			t.Errorf("IPv4 took %s as %v", a, p.Value)
		}
	}
	for _, a := range []string{"10.0.0.1", "::ffff:10.0.0.1", "fe80::1%lo0"} {
		if p, err := IPv6("ip6.addr", []netip.Addr{netip.MustParseAddr(a)}); err == nil {
			t.Errorf("IPv6 took %s as %v", a, p.Value)
		}
	}
	if p, err := IPv4("ip4.addr", []netip.Addr{{}}); err == nil {
		t.Errorf("IPv4 took no address as %v", p.Value)
	}
}

func TestDecodeAddrs(t *testing.T) {
	b := captured.Bytes(t, vectorIPv4)
	got, err := DecodeAddrs(b, 4)
	if err != nil {
		t.Fatal(err)
	}
	want := []netip.Addr{
		netip.MustParseAddr("10.77.0.5"), netip.MustParseAddr("10.77.0.3"), netip.MustParseAddr("10.77.0.9"),
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for n := range b {
		got, err := DecodeAddrs(b[:n], 4)
		switch {
		case n%4 == 0 && (err != nil || !slices.Equal(got, want[:n/4])):
			t.Errorf("the first %d bytes: %v, %v", n, got, err)
		case n%4 != 0 && !errors.Is(err, ErrLayout):
			t.Errorf("the first %d bytes: %v, %v, want ErrLayout", n, got, err)
		}
	}
	for _, size := range []int{-1, 0, 3, 17} {
		if got, err := DecodeAddrs(b, size); !errors.Is(err, ErrLayout) {
			t.Errorf("addresses of %d bytes: %v, %v, want ErrLayout", size, got, err)
		}
	}
}

func TestDecodeValues_OtherSizes_Refused(t *testing.T) {
	for n := range 16 {
		b := make([]byte, n)
		if v, err := DecodeInt(b); n != 4 && !errors.Is(err, ErrLayout) || n == 4 && err != nil {
			t.Errorf("DecodeInt of %d bytes: %v, %v", n, v, err)
		}
		if v, err := DecodeULong(b); n != 8 && !errors.Is(err, ErrLayout) || n == 8 && err != nil {
			t.Errorf("DecodeULong of %d bytes: %v, %v", n, v, err)
		}
	}
}

func TestEncodeOptions(t *testing.T) {
	errmsg := make([]byte, 7)
	got, err := encodeOptions([]Param{String("name", "x"), Bool("persist", true), Int("jid", 1)}, errmsg)
	want := [][]byte{
		[]byte("name\x00"), []byte("x\x00"),
		[]byte("persist\x00"), nil,
		[]byte("jid\x00"), {1, 0, 0, 0},
		[]byte("errmsg\x00"), errmsg,
	}
	if err != nil || !slices.EqualFunc(got, want, bytes.Equal) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	for _, name := range []string{"", "path\x00", "a\x00b"} {
		if got, err := encodeOptions([]Param{{Name: name}}, nil); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("name %q: %q, %v, want EINVAL", name, got, err)
		}
	}
}

// FuzzDecodeValues feeds bytes to the decoders of single values.
func FuzzDecodeValues(f *testing.F) {
	f.Add(captured.Bytes(f, vectorIPv4), 4)
	f.Add(captured.Bytes(f, vectorPTY), 16)
	f.Add([]byte("4096\x00"), 8)
	f.Fuzz(func(t *testing.T, b []byte, size int) {
		if v, err := DecodeInt(b); err == nil && !bytes.Equal(Int("x", v).Value, b) {
			t.Errorf("DecodeInt(%x) = %d, which is %x", b, v, Int("x", v).Value)
		}
		if v, err := DecodeULong(b); err == nil && !bytes.Equal(ULong("x", v).Value, b) {
			t.Errorf("DecodeULong(%x) = %d, which is %x", b, v, ULong("x", v).Value)
		}
		if s := DecodeString(b); !bytes.HasPrefix(b, []byte(s)) || len(s) < len(b) && b[len(s)] != 0 {
			t.Errorf("DecodeString(%q) = %q", b, s)
		}
		if a, err := DecodeAddrs(b, 4); err == nil {
			if p, err := IPv4("x", a); err != nil || !bytes.Equal(p.Value, b) {
				t.Errorf("DecodeAddrs(%x, 4) = %v, which is %x, %v", b, a, p.Value, err)
			}
		}
		if a, err := DecodeAddrs(b, size); err == nil && len(a)*size != len(b) {
			t.Errorf("DecodeAddrs(%x, %d) = %v", b, size, a)
		}
		if n, err := decodeMaxLen(b); err == nil && n < 0 {
			t.Errorf("decodeMaxLen(%q) = %d", b, n)
		}
		if s, err := decodePTYSlave(b); err == nil && len(s) <= len("/dev/pts/") {
			t.Errorf("decodePTYSlave(%x) = %q", b, s)
		}
		if node, err := decodeNode(b); err == nil && len(node)*4 != len(b) {
			t.Errorf("decodeNode(%x) = %v", b, node)
		}
	})
}
