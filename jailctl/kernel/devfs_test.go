package kernel

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"jailshim/internal/captured"
)

func TestEncodeDevRule(t *testing.T) {
	want := captured.Bytes(t, vectorDevRule)
	rule := DevRule{Pattern: "mem", Unhide: true, Mode: new(uint32(0o600))}
	got, err := encodeDevRule(0, 0, rule)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %x, %v, want %x", got, err, want)
	}
	ruleset, number, decoded, err := decodeDevRule(want)
	if err != nil || ruleset != 0 || number != 0 || !reflect.DeepEqual(decoded, rule) {
		t.Errorf("decoded to %d, %d, %+v, %v", ruleset, number, decoded, err)
	}
	for n := range want {
		if _, _, r, err := decodeDevRule(want[:n]); !errors.Is(err, ErrLayout) {
			t.Errorf("the first %d bytes: %+v, %v, want ErrLayout", n, r, err)
		}
	}
	want[offRuleMagic]++
	if _, _, r, err := decodeDevRule(want); !errors.Is(err, ErrLayout) {
		t.Errorf("another magic: %+v, %v, want ErrLayout", r, err)
	}
}

func TestEncodeDevRule_AllFields(t *testing.T) {
	rule := DevRule{
		Pattern: strings.Repeat("x", devfsPatternSize-1), Hide: true,
		Mode: new(uint32(0o7777)), UID: new(1001), GID: new(1002), Include: 65535,
	}
	b, err := encodeDevRule(20000, 300, rule)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := le.Uint32(b[offRuleID:]), uint32(20000<<16|300); got != want {
		t.Errorf("id %#x, want %#x", got, want)
	}
	if got, want := le.Uint32(b[offRuleActs:]), uint32(0x1f); got != want {
		t.Errorf("actions %#x, want %#x", got, want)
	}
	ruleset, number, got, err := decodeDevRule(b)
	if err != nil || ruleset != 20000 || number != 300 || !reflect.DeepEqual(got, rule) {
		t.Errorf("decoded to %d, %d, %+v, %v", ruleset, number, got, err)
	}
}

func TestEncodeDevRule_BadRule_Refused(t *testing.T) {
	for name, c := range map[string]struct {
		ruleset, number int
		rule            DevRule
	}{
		"does nothing":     {1, 1, DevRule{Pattern: "mem"}},
		"hides, unhides":   {1, 1, DevRule{Pattern: "mem", Hide: true, Unhide: true}},
		"long pattern":     {1, 1, DevRule{Pattern: strings.Repeat("x", devfsPatternSize), Hide: true}},
		"NUL in pattern":   {1, 1, DevRule{Pattern: "mem\x00", Hide: true}},
		"mode":             {1, 1, DevRule{Mode: new(uint32(0o10000))}},
		"negative owner":   {1, 1, DevRule{UID: new(-1)}},
		"negative group":   {1, 1, DevRule{GID: new(-1)}},
		"ruleset":          {65536, 1, DevRule{Hide: true}},
		"negative ruleset": {-1, 1, DevRule{Hide: true}},
		"number":           {1, 65536, DevRule{Hide: true}},
		"include":          {1, 1, DevRule{Include: 65536}},
	} {
		if b, err := encodeDevRule(c.ruleset, c.number, c.rule); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("%s: %x, %v, want EINVAL", name, b, err)
		}
	}
	for ruleset, ok := range map[int]bool{-1: false, 0: false, 1: true, 65535: true, 65536: false} {
		if err := checkRuleset(ruleset); ok != (err == nil) || !ok && !errors.Is(err, syscall.EINVAL) {
			t.Errorf("ruleset %d: %v", ruleset, err)
		}
	}
}

// FuzzDecodeDevRule feeds bytes in place of a rule of the kernel's: what is
// accepted, and can be written, is read the same again.
func FuzzDecodeDevRule(f *testing.F) {
	f.Add(captured.Bytes(f, vectorDevRule))
	b, err := encodeDevRule(4, 100, DevRule{Pattern: "pts/*", Unhide: true, UID: new(0), GID: new(0), Include: 1})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		ruleset, number, r, err := decodeDevRule(b)
		if err != nil {
			return
		}
		encoded, err := encodeDevRule(ruleset, number, r)
		if err != nil {
			return // the kernel holds rules that do nothing
		}
		s, n, again, err := decodeDevRule(encoded)
		if err != nil || s != ruleset || n != number || !reflect.DeepEqual(again, r) {
			t.Errorf("%d, %d, %+v, then %d, %d, %+v, %v", ruleset, number, r, s, n, again, err)
		}
	})
}
