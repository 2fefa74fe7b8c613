package link

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"

	"jailshim/internal/captured"
)

func TestDecodeInterfaces_Vector(t *testing.T) {
	list, err := decodeInterfaces(captured.Bytes(t, vectorList))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"vtnet0 1 6 0x8843 1500 52:54:00:12:34:56 [10.0.2.15/24]",
		"lo0 2 24 0x8049 16384  [::1/128 fe80::1/64 127.0.0.1/8]",
		"bridge900 3 209 0x8843 1400 58:9c:fc:10:de:31 [10.99.7.1/24 fd00:99::1/64]",
		"n1host 4 6 0x8943 1400 58:9c:fc:10:28:41 []",
		"epair901b 5 6 0x8842 1500 58:9c:fc:10:82:3f []",
	}
	if len(list) != len(want) {
		t.Fatalf("%d interfaces, want %d", len(list), len(want))
	}
	for n, i := range list {
		if got := fmt.Sprintf("%s %d %d %#x %d %s %v", i.Name, i.Index, i.Type, i.Flags, i.MTU, i.MAC, i.Addrs); got != want[n] {
			t.Errorf("got  %s\nwant %s", got, want[n])
		}
	}
	if !list[2].Has(netip.MustParseAddr("fd00:99::1")) || list[2].Has(netip.MustParseAddr("fd00:99::2")) {
		t.Error("Has is wrong about the bridge's addresses")
	}
}

// What ends in the middle of a message is an error; what ends after one, a shorter list.
func TestDecodeInterfaces_Prefixes(t *testing.T) {
	b := captured.Bytes(t, vectorList)
	ends := map[int]bool{0: true}
	for at := 0; at < len(b); {
		at += int(le.Uint16(b[at:]))
		ends[at] = true
	}
	for n := range len(b) {
		_, err := decodeInterfaces(b[:n])
		if ends[n] != (err == nil) || err != nil && !errors.Is(err, ErrLayout) {
			t.Errorf("%d of %d bytes: %v", n, len(b), err)
		}
	}
}

// Other messages have other headers.
func TestDecodeInterfaces_AnotherMessage(t *testing.T) {
	if list, err := decodeInterfaces(captured.Bytes(t, vectorAnnounce)); len(list) != 0 || err != nil && !errors.Is(err, ErrLayout) {
		t.Errorf("%v, %v", list, err)
	}
}

func FuzzDecodeInterfaces(f *testing.F) {
	f.Add(captured.Bytes(f, vectorList))
	f.Add(captured.Bytes(f, vectorAnnounce))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := decodeInterfaces(b)
		if err != nil && !errors.Is(err, ErrLayout) {
			t.Errorf("error of another kind: %v", err)
		}
		for _, i := range list {
			if i.Name == "" || len(i.Name) > MaxName {
				t.Errorf("name %q", i.Name)
			}
			for _, p := range i.Addrs {
				if !p.IsValid() {
					t.Errorf("invalid prefix on %q", i.Name)
				}
			}
		}
	})
}
