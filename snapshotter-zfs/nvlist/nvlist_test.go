package nvlist

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"jailshim/internal/captured"
)

// golden are requests as OpenZFS's own encoder makes them; the last one was sent by the
// zfs(8) of zfs-fuse 0.7.0, an encoder fifteen years older.
var golden = []struct {
	name string
	list List
	hex  string
}{
	{"empty", List{}, "000100000000000001000000" + "00000000"},
	{"create", List{{"type", int32(2)}}, "000100000000000001000000200000000500000001000000050000007479706500000000020000000000000000000000"},
	{"clone", List{{"origin", "zroot/c/l/1@c"}}, "000100000000000001000000280000000700000001000000090000006f726967696e00007a726f6f742f632f6c2f31406300000000000000"},
	{"clone with properties", List{{"origin", "zroot/c/l/1@c"}, {"props", List{{"org.x:m", "{}"}, {"refquota", uint64(1 << 30)}}}},
		"000100000000000001000000280000000700000001000000090000006f726967696e00007a726f6f742f632f6c2f3140630000003000000006000000010000001300000070726f7073000000000000000100000000000000000000000000000000000000200000000800000001000000090000006f72672e783a6d007b7d0000000000002800000009000000010000000800000072656671756f7461000000000000000000000040000000000000000000000000"},
	{"snapshot", List{{"snaps", List{{"zroot/c/l/1@c", Boolean{}}}}, {"props", List{{"org.x:m", "v"}}}},
		"00010000000000000100000030000000060000000100000013000000736e617073000000000000000100000000000000000000000000000000000000200000000e00000000000000010000007a726f6f742f632f6c2f314063000000000000003000000006000000010000001300000070726f7073000000000000000100000000000000000000000000000000000000200000000800000001000000090000006f72672e783a6d0076000000000000000000000000000000"},
	{"destroy_snaps", List{{"snaps", List{{"zroot/c/l/1@c", Boolean{}}}}, {"defer", Boolean{}}},
		"00010000000000000100000030000000060000000100000013000000736e617073000000000000000100000000000000000000000000000000000000200000000e00000000000000010000007a726f6f742f632f6c2f3140630000000000000018000000060000000000000001000000646566657200000000000000"},
	{"channel_program", List{{"program", "return 1"}, {"arg", List{{"argv", []string{"a", "b"}}}}, {"sync", false}, {"instrlimit", uint64(1000)}, {"memlimit", uint64(1 << 20)}},
		"0001000000000000010000002800000008000000010000000900000070726f6772616d0072657475726e20310000000000000000300000000400000001000000130000006172670000000000000000000100000000000000000000000000000000000000300000000500000002000000110000006172677600000000000000000000000000000000000000006100620000000000000000002000000005000000010000001500000073796e63000000000000000000000000280000000b0000000100000008000000696e7374726c696d6974000000000000e803000000000000280000000900000001000000080000006d656d6c696d69740000000000000000000010000000000000000000"},
	{"properties", List{{"io.t:k", "v"}, {"mountpoint", "legacy"}},
		"00010000000000000100000020000000070000000100000009000000696f2e743a6b00007600000000000000280000000b00000001000000090000006d6f756e74706f696e740000000000006c6567616379000000000000"},
}

// everything has a value of each type, at more than one depth.
var everything = List{
	{"boolean", Boolean{}}, {"true", true}, {"false", false}, {"uint8", uint8(200)}, {"int32", int32(-5)}, {"uint32", uint32(1 << 31)},
	{"int64", int64(-1 << 63)}, {"uint64", uint64(1<<64 - 1)}, {"string", "a string"}, {"empty", ""},
	{"bytes", Bytes{1, 2, 3}}, {"uint8s", []uint8{4, 5, 6, 7, 8, 9, 10, 11, 12}}, {"uint64s", []uint64{1, 2, 3}}, {"strings", []string{"", "one", "two two two"}},
	{"list", List{{"x", uint64(1)}, {"deeper", List{{"y", List{}}}}}},
	{"lists", []List{{}, {{"a", "b"}}, {{"c", []List{{{"d", Boolean{}}}}}}}},
	{"after", int32(1)},
}

func TestEncode_Golden(t *testing.T) {
	for _, g := range golden {
		got, err := Encode(g.list)
		if err != nil || hex.EncodeToString(got) != g.hex {
			t.Errorf("%s: %v\ngot  %x\nwant %s", g.name, err, got, g.hex)
		}
	}
}

func TestDecode_Golden(t *testing.T) {
	for _, g := range golden {
		got, err := Decode(unhex(t, g.hex))
		if err != nil || !reflect.DeepEqual(got, g.list) {
			t.Errorf("%s: %v\ngot  %#v\nwant %#v", g.name, err, got, g.list)
		}
	}
}

// What a kernel has written decodes to what the notes say, and encodes to the same.
func TestDecode_Vectors(t *testing.T) {
	for _, name := range vectors {
		b := captured.Bytes(t, name)
		l, err := Decode(b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := fmt.Sprintf("header % x version %d nvflag %d\n%s", b[:4], le.Uint32(b[4:]), le.Uint32(b[8:]), dump(l, ""))
		if want := captured.Decoded(t, name); strings.TrimSpace(got) != strings.TrimSpace(want) {
			t.Errorf("%s decodes to\n%s, want\n%s", name, got, want)
		}
		if again, err := Encode(l); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%s: encoded again it differs: %v\ngot  %x\nwant %x", name, err, again, b)
		}
	}
}

func TestEncode_EachType_RoundTrip(t *testing.T) {
	b, err := Encode(everything)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Decode(b); err != nil || !reflect.DeepEqual(got, everything) {
		t.Errorf("%v\ngot  %#v\nwant %#v", err, got, everything)
	}
}

func TestDecode_Prefixes_Fail(t *testing.T) {
	for _, b := range corpus(t) {
		for n := range b {
			if l, err := Decode(b[:n:n]); !errors.Is(err, ErrFormat) {
				t.Fatalf("%d of %d bytes: %v, %v; want ErrFormat", n, len(b), l, err)
			}
		}
		if l, err := Decode(append(bytes.Clone(b), 0)); !errors.Is(err, ErrFormat) {
			t.Fatalf("a byte more than %d: %v, %v; want ErrFormat", len(b), l, err)
		}
	}
}

func TestDecode_Wrong_Fails(t *testing.T) {
	one := func(value any) []byte {
		b, err := Encode(List{{"n", value}})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	const pair, valueOff = prefixSize, prefixSize + 24
	for _, c := range []struct {
		name  string
		b     []byte
		off   int
		put   []byte
		wants string
	}{
		{"XDR", one(int32(1)), 0, []byte{1}, "header"},
		{"big endian", one(int32(1)), 1, []byte{0}, "header"},
		{"version", one(int32(1)), 4, []byte{1}, "version 1"},
		{"negative size", one(int32(1)), pair, []byte{0xff, 0xff, 0xff, 0xff}, "wanted"},
		{"size beyond the end", one(int32(1)), pair, []byte{0xff, 0xff, 0xff, 0x7f}, "wanted"},
		{"size below a pair", one(int32(1)), pair, []byte{8}, "a pair of 8 bytes"},
		{"size that is not a multiple", one(int32(1)), pair, []byte{31}, "not the size"},
		{"empty name", one(int32(1)), pair + offNameSize, []byte{1}, "a name of 1 bytes"},
		{"negative name", one(int32(1)), pair + offNameSize, []byte{0xff, 0xff}, "a name of -1 bytes"},
		{"name beyond the pair", one(int32(1)), pair + offNameSize, []byte{0x40}, "a name of 64 bytes"},
		{"name without its end", one(int32(1)), pair + offName + 1, []byte{'x'}, "without its end"},
		{"zero byte in a name", one(int32(1)), pair + offName, []byte{0}, "without its end"},
		{"unknown type", one(int32(1)), pair + offType, []byte{99}, "unknown type"},
		{"negative type", one(int32(1)), pair + offType, []byte{0xff, 0xff, 0xff, 0xff}, "unknown type"},
		{"two of one number", one(int32(1)), pair + offElements, []byte{2}, "not one element"},
		{"no number", one(int32(1)), pair + offElements, []byte{0}, "not one element"},
		{"two lists in one", one(List{}), pair + offElements, []byte{2}, "not one element"},
		{"a value of nothing", one(Boolean{}), pair + offElements, []byte{1}, "more than nothing"},
		{"neither true nor false", one(true), valueOff, []byte{2}, "neither true nor false"},
		{"string without its end", one("1234567"), valueOff + 7, []byte{'8'}, "without its end"},
		{"string ends early", one("123456789"), valueOff + 1, []byte{0}, "not the size"},
		{"more numbers than there are", one([]uint64{1, 2}), pair + offElements, []byte{3}, "not the size"},
		{"fewer numbers than there are", one([]uint64{1, 2}), pair + offElements, []byte{1}, "not the size"},
		{"negative elements", one([]uint64{1, 2}), pair + offElements, []byte{0, 0, 0, 0x80}, "too many elements"},
		{"very many strings", one([]string{"a", "b"}), pair + offElements, []byte{0xff, 0xff, 0xff, 0x1f}, "too many elements"},
		{"more strings than there are", one([]string{"a", "b"}), pair + offElements, []byte{3}, ""},
		{"more lists than there are", one([]List{{}, {}}), pair + offElements, []byte{3}, "not the size"},
	} {
		b := bytes.Clone(c.b)
		copy(b[c.off:], c.put)
		l, err := Decode(b)
		if !errors.Is(err, ErrFormat) || !strings.Contains(fmt.Sprint(err), c.wants) {
			t.Errorf("%s: %v, %v; want ErrFormat and %q", c.name, l, err, c.wants)
		}
	}
}

func TestDecode_SameNameTwice_Fails(t *testing.T) {
	b, err := Encode(List{{"a", int32(1)}, {"b", int32(2)}})
	if err != nil {
		t.Fatal(err)
	}
	b[bytes.IndexByte(b, 'b')] = 'a'
	if l, err := Decode(b); !errors.Is(err, ErrFormat) {
		t.Errorf("%v, %v; want ErrFormat", l, err)
	}
}

func TestDepth_Limited(t *testing.T) {
	deep := func(n int) List {
		l := List{}
		for range n - 1 {
			l = List{{"l", l}}
		}
		return l
	}
	b, err := Encode(deep(maxDepth))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Decode(b); err != nil {
		t.Errorf("%d lists in each other: %v", maxDepth, err)
	}
	if _, err := Encode(deep(maxDepth + 1)); err == nil {
		t.Errorf("%d lists in each other: no error", maxDepth+1)
	}
	// One more around what is the deepest allowed.
	outer, err := Encode(List{{"l", List{}}})
	if err != nil {
		t.Fatal(err)
	}
	deepest := append(outer[:len(outer)-2*endSize:len(outer)-2*endSize], b[prefixSize:]...)
	if _, err := Decode(append(deepest, 0, 0, 0, 0)); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "in each other") {
		t.Errorf("%d lists in each other: %v", maxDepth+1, err)
	}
}

func TestEncode_Refused(t *testing.T) {
	for _, l := range []List{
		{{"", int32(1)}}, {{"a\x00b", int32(1)}}, {{strings.Repeat("x", 1<<15), int32(1)}}, {{"a", int32(1)}, {"a", int32(2)}},
		{{"a", 1}}, {{"a", nil}}, {{"a", "zero\x00"}}, {{"a", []string{"zero\x00"}}}, {{"a", List{{"b", 1}}}}, {{"a", []List{{{"b", 1}}}}},
	} {
		if b, err := Encode(l); err == nil {
			t.Errorf("%.80v: %x, want an error", l, b)
		}
	}
}

func TestNumber_TakesAllNumbers(t *testing.T) {
	l := List{{"a", uint64(1 << 63)}, {"b", int64(-1 << 63)}, {"c", int32(-1)}, {"d", uint32(7)}, {"e", uint8(8)}, {"s", "1"}}
	for name, want := range map[string]uint64{"a": 1 << 63, "b": 1 << 63, "c": 1<<64 - 1, "d": 7, "e": 8} {
		if got, ok := Number(l, name); !ok || got != want {
			t.Errorf("%s: %d, %v; want %d", name, got, ok, want)
		}
	}
	for _, name := range []string{"s", "none"} {
		if got, ok := Number(l, name); ok {
			t.Errorf("%s: %d", name, got)
		}
	}
	if s, ok := Value[string](l, "s"); !ok || s != "1" {
		t.Errorf("%q, %v", s, ok)
	}
	if s, ok := Value[string](l, "a"); ok {
		t.Errorf("a number as a string: %q", s)
	}
}

// FuzzDecode: what decodes encodes again, and to the same list.
func FuzzDecode(f *testing.F) {
	for _, b := range corpus(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := Decode(b)
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatalf("%v does not wrap ErrFormat", err)
			}
			return
		}
		again, err := Encode(l)
		if err != nil {
			t.Fatalf("%#v decoded, and not encoded: %v", l, err)
		}
		if len(again) != len(b) {
			t.Fatalf("%d bytes became %d", len(b), len(again))
		}
		twice, err := Decode(again)
		if err != nil || !reflect.DeepEqual(l, twice) {
			t.Fatalf("%v\n%#v became\n%#v", err, l, twice)
		}
	})
}

// corpus are all good lists that the tests know.
func corpus(tb testing.TB) [][]byte {
	tb.Helper()
	b, err := Encode(everything)
	if err != nil {
		tb.Fatal(err)
	}
	all := [][]byte{b}
	for _, g := range golden {
		all = append(all, unhex(tb, g.hex))
	}
	for _, name := range vectors {
		all = append(all, captured.Bytes(tb, name))
	}
	return all
}

func unhex(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// dump writes a list as the vectors' notes have it.
func dump(l List, indent string) string {
	var w strings.Builder
	for _, p := range l {
		switch v := p.Value.(type) {
		case Boolean:
			fmt.Fprintf(&w, "%s%s: BOOLEAN\n", indent, p.Name)
		case int32:
			fmt.Fprintf(&w, "%s%s: i32 %d\n", indent, p.Name, v)
		case int64:
			fmt.Fprintf(&w, "%s%s: i64 %d\n", indent, p.Name, v)
		case uint64:
			fmt.Fprintf(&w, "%s%s: u64 %d\n", indent, p.Name, v)
		case string:
			fmt.Fprintf(&w, "%s%s: string %q\n", indent, p.Name, v)
		case List:
			fmt.Fprintf(&w, "%s%s: {\n%s%s}\n", indent, p.Name, dump(v, indent+"  "), indent)
		default:
			fmt.Fprintf(&w, "%s%s: %T %v\n", indent, p.Name, v, v)
		}
	}
	return w.String()
}
