package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"jailshim/internal/captured"
)

// paramNode is a line of the list of parameters.
type paramNode struct {
	name   string
	kind   uint32
	format string
}

// paramNodes reads the list of a running kernel's parameters.
func paramNodes(tb testing.TB) []paramNode {
	tb.Helper()
	var nodes []paramNode
	for line := range strings.Lines(captured.File(tb, fileParams)) {
		if !strings.HasPrefix(line, paramPrefix) {
			continue // the heading
		}
		var n paramNode
		if _, err := fmt.Sscanf(line, "%s kind %v fmt %q", &n.name, &n.kind, &n.format); err != nil {
			tb.Fatalf("%s: %q: %v", fileParams, line, err)
		}
		nodes = append(nodes, n)
	}
	if len(nodes) != 65 {
		tb.Fatalf("%s lists %d parameters, want 65", fileParams, len(nodes))
	}
	return nodes
}

// oidfmt is what the kernel answers for the node.
func (n paramNode) oidfmt() []byte {
	return append(binary.LittleEndian.AppendUint32(nil, n.kind), cString(n.format)...)
}

// What a plan made on Linux takes for settable must be what the kernel takes.
func TestBuiltinParams_AreTheKernels(t *testing.T) {
	builtin := BuiltinParams()
	listed := make(map[string]ParamInfo)
	for _, n := range paramNodes(t) {
		want, err := decodeParam(n.name, n.oidfmt())
		if err != nil {
			t.Errorf("%s: %v", n.name, err)
			continue
		}
		listed[want.Name] = want
		got := builtin[want.Name]
		if got.isText() != (got.MaxLen > 1) {
			t.Errorf("%s is of kind %v and has %d bytes", want.Name, got.Kind, got.MaxLen)
		}
		got.MaxLen = 0
		if got != want {
			t.Errorf("%s: got %+v, want %+v", want.Name, got, want)
		}
	}
	if got, want := slices.Sorted(maps.Keys(builtin)), slices.Sorted(maps.Keys(listed)); !slices.Equal(got, want) {
		t.Errorf("names:\ngot  %v\nwant %v", got, want)
	}
}

func TestBuiltinParams_Flags(t *testing.T) {
	params := BuiltinParams()
	for name, want := range map[string]ParamInfo{
		"children.cur": {Kind: KindInt, ReadOnly: true},
		"path":         {Kind: KindString, CreateOnly: true, MaxLen: 1024},
		"vnet":         {Kind: KindJailsys, CreateOnly: true},
		"ip4":          {Kind: KindJailsys, CreateOnly: true},
		"ip4.addr":     {Kind: KindIPv4},
		"allow.mount":  {Kind: KindBool},
		"meta":         {Kind: KindKeyValue, MaxLen: 4096},
	} {
		want.Name = name
		if got := params[name]; got != want {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
	params["name"] = ParamInfo{}
	if BuiltinParams()["name"].Kind != KindString {
		t.Error("a change of the result changed the table")
	}
}

func TestDecodeParam_BadInput_Refused(t *testing.T) {
	good := paramNodes(t)[0]
	for n := range good.oidfmt() {
		if p, err := decodeParam(good.name, good.oidfmt()[:n]); !errors.Is(err, ErrLayout) {
			t.Errorf("the first %d bytes of a format: %+v, %v, want ErrLayout", n, p, err)
		}
	}
	for _, name := range []string{"", "kern.osreldate", "security.jail.param", "security.jail.param.", "security.jail.param.."} {
		if p, err := decodeParam(name, good.oidfmt()); !errors.Is(err, ErrLayout) {
			t.Errorf("node %q: %+v, %v, want ErrLayout", name, p, err)
		}
	}
	if p, err := decodeParam("security.jail.param.x.y", paramNode{kind: ctlFlagWrite, format: "Q"}.oidfmt()); err != nil ||
		p != (ParamInfo{Name: "x.y", Kind: KindOther}) {
		t.Errorf("unknown format: %+v, %v", p, err)
	}
	for _, b := range []string{"", "x", "-1\x00", "12 \x00", "99999999999\x00"} {
		if n, err := decodeMaxLen([]byte(b)); !errors.Is(err, ErrLayout) {
			t.Errorf("size %q: %d, %v, want ErrLayout", b, n, err)
		}
	}
}

func TestGetValues(t *testing.T) {
	params := []Param{
		Int(descName, 5),
		{Name: "path", Value: []byte("/j\x00")},
		{Name: "ip4.addr"},
		{Name: "meta.k", Value: []byte("v\x00\x00\x00")},
		{Name: "meta.absent", Value: make([]byte, 4)},
		{Name: "env", Value: make([]byte, 4)},
	}
	got := getValues(params, []int{4, 3, 0, 4, 0, 4})
	want := map[string][]byte{
		"path": []byte("/j\x00"), "ip4.addr": nil, "meta.k": []byte("v\x00"), "meta.absent": nil, "env": {0},
	}
	if !maps.EqualFunc(got, want, slices.Equal) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestIsKeyValue(t *testing.T) {
	for name, want := range map[string]bool{
		"meta": true, "meta.a": true, "meta.a.b": true, "env": true, "env.x": true,
		"metal": false, "name": false, "host.meta": false, "": false,
	} {
		if got := isKeyValue(name); got != want {
			t.Errorf("isKeyValue(%q) = %v", name, got)
		}
	}
}

func TestSysctlNodes(t *testing.T) {
	for n := range 4*ctlMaxName + 8 {
		node, err := decodeNode(make([]byte, n))
		if ok := n > 0 && n%4 == 0 && n <= 4*ctlMaxName; ok != (err == nil) || ok && len(node) != n/4 {
			t.Errorf("node of %d bytes: %v, %v", n, node, err)
		}
	}
	for _, c := range []struct {
		node, top []int32
		want      bool
	}{
		{[]int32{1, 2, 3}, []int32{1, 2}, true},
		{[]int32{1, 2}, []int32{1, 2}, false},
		{[]int32{1, 3, 3}, []int32{1, 2}, false},
		{[]int32{1}, []int32{1, 2}, false},
	} {
		if got := isBelow(c.node, c.top); got != c.want {
			t.Errorf("isBelow(%v, %v) = %v", c.node, c.top, got)
		}
	}
}

// FuzzDecodeParam feeds names and formats of sysctl nodes.
func FuzzDecodeParam(f *testing.F) {
	for _, n := range paramNodes(f) {
		f.Add(n.name, n.oidfmt())
	}
	f.Fuzz(func(t *testing.T, name string, oidfmt []byte) {
		p, err := decodeParam(name, oidfmt)
		if err != nil {
			if p != (ParamInfo{}) {
				t.Errorf("%+v with error %v", p, err)
			}
			return
		}
		if p.Kind < KindBool || p.Kind > KindOther || p.ReadOnly && p.CreateOnly || p.Name == "" {
			t.Errorf("decodeParam(%q, %q) = %+v", name, oidfmt, p)
		}
	})
}

func TestIsNode(t *testing.T) {
	for format, want := range map[string]bool{"": false, "\x01\x00\x00": false, "\x01\x00\x00\x80N\x00": true, "\x03\x00\x00\x80A\x00": false} {
		if got := isNode([]byte(format)); got != want {
			t.Errorf("%q: %v", format, got)
		}
	}
}
