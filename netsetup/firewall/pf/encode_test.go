package pf

import (
	"bytes"
	"encoding/hex"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"jailshim/internal/captured"
)

func TestNVBoolAt_Status(t *testing.T) {
	b := captured.Bytes(t, vectorStatus)
	if enabled, err := nvBoolAt(b, "running"); err != nil || !enabled {
		t.Errorf("got %t, %v", enabled, err)
	}
	for n := range b {
		if _, err := nvBoolAt(b[:n], "running"); err == nil {
			t.Errorf("%d bytes of %d are a list", n, len(b))
		}
	}
	if _, err := nvBoolAt(b, "walking"); err == nil {
		t.Error("a name that is not there")
	}
}

// The decoder finds in a list of ours what is on the outside, not within.
func TestNVBoolAt_SkipsInnerLists(t *testing.T) {
	w := newNV()
	w.list("in", func() {
		w.bool("x", false)
		w.list("deeper", func() { w.string("s", "text") })
	})
	w.numbers("n", 1, 2)
	w.number("m", 3)
	w.bool("x", true)
	if got, err := nvBoolAt(w.bytes(), "x"); err != nil || !got {
		t.Errorf("got %t, %v", got, err)
	}
}

func FuzzNVBoolAt(f *testing.F) {
	f.Add(captured.Bytes(f, vectorStatus))
	f.Add(encodeKill(netip.MustParseAddr("192.0.2.1"), true, true))
	f.Fuzz(func(_ *testing.T, b []byte) { _, _ = nvBoolAt(b, "kill_match") })
}

// The bytes follow nvlist_xpack (sys/contrib/libnv/nvlist.c): the header's size counts
// to the end of all, the pair's that of the inner list without what ends it.
func TestNVWriter_Bytes(t *testing.T) {
	w := newNV()
	w.list("l", func() { w.bool("b", true) })
	want := strings.Join([]string{
		"6c0000", "0000000000000000", "5200000000000000", // header; 82 bytes follow
		"05", "0200", "2900000000000000", "0000000000000000", "6c00", // list "l" of 41 bytes
		"6c0000", "0000000000000000", "2a00000000000000", // its header; 42 follow
		"02", "0200", "0100000000000000", "0000000000000000", "6200", "01", // bool "b"
		"ff", "0100", "0000000000000000", "0000000000000000", "00", // up
	}, "")
	if got := hex.EncodeToString(w.bytes()); got != want {
		t.Errorf("\ngot  %s\nwant %s", got, want)
	}
}

func TestEncodeKill(t *testing.T) {
	for _, addr := range []string{"192.0.2.1", "2001:db8::1"} {
		a := netip.MustParseAddr(addr)
		from, to := encodeKill(a, true, false), encodeKill(a, false, false)
		if len(from) != len(to) || bytes.Equal(from, to) || bytes.Count(from, a.AsSlice()) != 1 {
			t.Errorf("%s: %x, %x", addr, from, to)
		}
		if i, j := bytes.Index(from, a.AsSlice()), bytes.Index(to, a.AsSlice()); i >= j {
			t.Errorf("%s: the source is at %d, the destination at %d", addr, i, j)
		}
		for _, nat := range []bool{false, true} {
			b := encodeKill(a, true, nat)
			if got, err := nvBoolAt(b, "nat"); err != nil || got != nat {
				t.Errorf("%s: nat %t, %v", addr, got, err)
			}
			if got, err := nvBoolAt(b, "kill_match"); err != nil || !got {
				t.Errorf("%s: kill_match %t, %v", addr, got, err)
			}
		}
	}
}

func TestRuleset(t *testing.T) {
	b, err := encodeRuleset("jailshim", 7)
	if err != nil {
		t.Fatal(err)
	}
	copy(b[offRulesetName:], "net-x")
	if nr, name, err := decodeRuleset(b); err != nil || nr != 7 || name != "net-x" || !bytes.HasPrefix(b[offRulesetPath:], []byte("jailshim\x00")) {
		t.Errorf("got %d, %q, %v", nr, name, err)
	}
	for n := range b {
		if _, _, err := decodeRuleset(b[:n]); err == nil {
			t.Fatalf("%d bytes of %d are a ruleset", n, len(b))
		}
	}
	for i := offRulesetName; i < len(b); i++ {
		b[i] = 'x'
	}
	if _, _, err := decodeRuleset(b); err == nil {
		t.Error("a name without an end")
	}
	if _, err := encodeRuleset(strings.Repeat("x", maxPathLen), 0); err == nil {
		t.Error("a name too long")
	}
}

func TestTransaction(t *testing.T) {
	b, err := encodeTransaction("jailshim/x")
	if err != nil || len(b) != len(flushed)*transElementSize {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	for i, ruleset := range flushed {
		e := b[i*transElementSize:][:transElementSize]
		if le.Uint32(e) != ruleset || !bytes.HasPrefix(e[offTransAnchor:], []byte("jailshim/x\x00")) || le.Uint32(e[offTransTicket:]) != 0 {
			t.Errorf("element %d: %x", i, e[:32])
		}
	}
	if _, err := encodeTransaction(strings.Repeat("x", maxPathLen)); err == nil {
		t.Error("a name too long")
	}
}

// An ioctl's number holds the direction and the size of its argument.
func TestIoctlNumbers_HoldTheSizes(t *testing.T) {
	for name, c := range map[string]struct{ got, number, size uint32 }{
		"DIOCGETSTATUSNV":  {diocGetStatusNV, 21, 24},
		"DIOCKILLSTATESNV": {diocKillStatesNV, 41, 24},
		"DIOCGETRULESETS":  {diocGetRulesets, 58, rulesetSize},
		"DIOCGETRULESET":   {diocGetRuleset, 59, rulesetSize},
		"DIOCXBEGIN":       {diocXBegin, 81, 16},
		"DIOCXCOMMIT":      {diocXCommit, 82, 16},
	} {
		if want := 0xc0000000 | c.size<<16 | 'D'<<8 | c.number; c.got != want {
			t.Errorf("%s = %#x, want %#x", name, c.got, want)
		}
	}
}

func TestError_TextAndErrno(t *testing.T) {
	err := &Error{Op: "DIOCXBEGIN", Object: "x", Errno: 1}
	if got, want := err.Error(), "DIOCXBEGIN x: operation not permitted"; got != want || !errors.Is(err, err.Errno) {
		t.Errorf("got %q, want %q", got, want)
	}
}
