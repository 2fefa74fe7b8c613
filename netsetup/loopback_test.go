package netsetup

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// vectorDir holds what was sent to a kernel that took it: NAME.hex, sixteen bytes
// a line with their offset, and NAME.txt, which tells how it was captured.
const vectorDir = "testdata/15.1-amd64"

const (
	vectorAddr4 = "net-SIOCAIFADDR-lo0-127-0-0-1-sent"
	vectorAddr6 = "net-SIOCAIFADDR-IN6-NODAD-lo0---1-sent"
	vectorUp    = "net-SIOCSIFFLAGS-up-lo0-sent"
)

// vector returns the bytes of a vector.
func vector(t *testing.T, name string) []byte {
	t.Helper()
	if _, err := os.Stat(filepath.Join(vectorDir, name+".txt")); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(vectorDir, name+".hex"))
	if err != nil {
		t.Fatal(err)
	}
	var b []byte
	for line := range strings.Lines(string(text)) {
		dump, _, ok := strings.Cut(line, "|")
		fields := strings.Fields(dump)
		if !ok || len(fields) < 2 {
			t.Fatalf("%s: not a line of a dump: %q", name, line)
		}
		part, err := hex.DecodeString(strings.Join(fields[1:], ""))
		if err != nil {
			t.Fatalf("%s: %q: %v", name, line, err)
		}
		b = append(b, part...)
	}
	if len(b) == 0 {
		t.Fatalf("%s is empty", name)
	}
	return b
}

func TestVectors_AreThoseTested(t *testing.T) {
	entries, err := os.ReadDir(vectorDir)
	if err != nil {
		t.Fatal(err)
	}
	var got, want []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	for _, v := range []string{vectorAddr4, vectorAddr6, vectorUp} {
		want = append(want, v+".hex", v+".txt")
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("files in %s:\ngot  %v\nwant %v", vectorDir, got, want)
	}
}

func TestEncode_IsWhatTheKernelTook(t *testing.T) {
	// The flags that lo0 had before, IFF_LOOPBACK and IFF_MULTICAST, stay.
	up := encodeIfreq(loopback)
	setIfreqFlags(up, 0x8008)
	setIfreqFlags(up, ifreqFlags(up)|iffUp)
	for name, got := range map[string][]byte{
		vectorAddr4: encodeInAlias(loopback, loopback4),
		vectorAddr6: encodeIn6Alias(loopback, loopback6),
		vectorUp:    up,
	} {
		if want := vector(t, name); !bytes.Equal(got, want) {
			t.Errorf("%s:\ngot  %x\nwant %x", name, got, want)
		}
	}
}

func TestIfreqFlags_BothHalves(t *testing.T) {
	b := encodeIfreq("a name of more than fifteen bytes")
	if got, want := string(b[:ifNameSize]), "a name of more \x00"; got != want {
		t.Errorf("name %q, want %q", got, want)
	}
	const flags = 0x81230043
	setIfreqFlags(b, flags)
	if got := ifreqFlags(b); got != flags {
		t.Errorf("got %#x, want %#x", got, flags)
	}
	if want := []byte{0x43, 0, 0x23, 0x81}; !bytes.Equal(b[offIfrFlags:][:4], want) {
		t.Errorf("got %x, want %x", b[offIfrFlags:][:4], want)
	}
}

func TestMask(t *testing.T) {
	for bits, want := range map[int]string{0: "00000000", 1: "80000000", 8: "ff000000", 15: "fffe0000", 32: "ffffffff"} {
		if got := hex.EncodeToString(mask(4, bits)); got != want {
			t.Errorf("%d bits: got %s, want %s", bits, got, want)
		}
	}
}

// An ioctl's number holds the direction and the size of its argument.
func TestIoctlNumbers_HoldTheSizes(t *testing.T) {
	const out, in = 0x40000000, 0x80000000 // IOC_OUT, IOC_IN, sys/sys/ioccom.h:54
	for name, c := range map[string]struct{ got, direction, number, size uint32 }{
		"SIOCSIFFLAGS":    {siocSIFFlags, in, 16, ifreqSize},
		"SIOCGIFFLAGS":    {siocGIFFlags, in | out, 17, ifreqSize},
		"SIOCAIFADDR":     {siocAIFAddr, in, 43, inAliasreqSize},
		"SIOCAIFADDR_IN6": {siocAIFAddrIn6, in, 27, in6AliasreqSize},
	} {
		if want := c.direction | c.size<<16 | 'i'<<8 | c.number; c.got != want {
			t.Errorf("%s = %#x, want %#x", name, c.got, want)
		}
	}
}

func TestError_TextAndErrno(t *testing.T) {
	if !errors.Is(ErrUnsupported, errors.ErrUnsupported) {
		t.Error("ErrUnsupported does not wrap errors.ErrUnsupported")
	}
	err := &Error{Op: "socket", Object: "lo0", Errno: 1, Detail: "neither IPv4 nor IPv6"}
	if got, want := err.Error(), "socket lo0: neither IPv4 nor IPv6: operation not permitted"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if !errors.Is(err, err.Errno) {
		t.Error("the errno is not wrapped")
	}
}
