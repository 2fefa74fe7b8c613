package config

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
)

func TestDefault(t *testing.T) {
	n, err := Default().Network(DefaultNetwork)
	if err != nil {
		t.Fatal(err)
	}
	want := &Network{
		Name: "default", Bridge: "js-default", MTU: 1500, NAT: NATAuto,
		IPv4: Subnet{netip.MustParsePrefix("10.88.0.0/16"), addr("10.88.0.1"), addr("10.88.0.1"), addr("10.88.255.254")},
		IPv6: Subnet{netip.MustParsePrefix("fd00:88::/64"), addr("fd00:88::1"), addr("fd00:88::1"), addr("fd00:88::ffff:ffff:ffff:ffff")},
	}
	if !reflect.DeepEqual(n, want) {
		t.Errorf("got %+v\nwant %+v", n, want)
	}
}

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// The example in the package's documentation is a file that works.
func TestParse_TheDocumentedFile(t *testing.T) {
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	var file []string
	for line := range strings.Lines(string(text)) {
		if after, ok := strings.CutPrefix(line, "//\t"); ok {
			file = append(file, after)
		}
	}
	c, err := Parse([]byte(strings.Join(file, "")))
	if err != nil {
		t.Fatal(err)
	}
	web, err := c.Network("web")
	if err != nil {
		t.Fatal(err)
	}
	want := &Network{
		Name: "web", Bridge: "web0", MTU: 1500, NAT: NATAuto, Isolate: true,
		IPv4:   Subnet{netip.MustParsePrefix("192.0.2.0/24"), addr("192.0.2.1"), addr("192.0.2.100"), addr("192.0.2.199")},
		Routes: []Route{{netip.MustParsePrefix("198.51.100.0/24"), addr("192.0.2.254")}},
		DNS:    DNS{Servers: []netip.Addr{addr("192.0.2.53")}, Search: []string{"example.org"}, Options: []string{"ndots:2"}},
	}
	if !reflect.DeepEqual(web, want) {
		t.Errorf("got %+v\nwant %+v", web, want)
	}
	if d := c.Networks[DefaultNetwork]; !reflect.DeepEqual(d, Default().Networks[DefaultNetwork]) {
		t.Errorf("default is %+v", d)
	}
}

func TestParse_Refuses(t *testing.T) {
	web := func(text string) string { return "[networks.web]\nsubnets = [\"192.0.2.0/24\"]\n" + text }
	for _, c := range []struct{ file, want string }{
		{"[networks.web]\nsubnet = \"x\"\n", `line 2: unknown key "networks.web.subnet"`},
		{"[networks.default]\nmtu = \"x\"\n", `line 2`},
		{"networks = [", "line 1"},
		{"[networks.web]\n", "key subnets is missing"},
		{"[networks.web]\nsubnets = [\"192.0.2.1/24\"]\n", "the subnet is 192.0.2.0/24"},
		{"[networks.web]\nsubnets = [\"192.0.2.0/31\"]\n", "too small"},
		{"[networks.web]\nsubnets = [\"fd00::/127\"]\n", "too small"},
		{"[networks.web]\nsubnets = [\"8.0.0.0/7\"]\n", "too large"},
		{"[networks.web]\nsubnets = [\"192.0.2.0\"]\n", "no subnet"},
		{"[networks.web]\nsubnets = [\"127.0.0.0/8\"]\n", "not for hosts"},
		{"[networks.web]\nsubnets = [\"fe80::/64\"]\n", "not for hosts"},
		{"[networks.web]\nsubnets = [\"192.0.2.0/24\", \"198.51.100.0/24\"]\n", "of one family"},
		{"[networks.web]\nsubnets = [\"10.88.3.0/24\"]\n", "subnets 10.88.0.0/16 and 10.88.3.0/24 overlap"},
		{web("bridge = \"js-default\""), "both have the bridge"},
		{web("bridge = \"a-name-of-16-byt\""), "no name of an interface"},
		{web("bridge = \"0\""), "no name of an interface"},
		{web("nat = \"yes\""), "none of auto, pf, ipfw, none"},
		{web("mtu = 100"), "key mtu"},
		{"[networks.default]\nmtu = 1279\n", "with IPv6 1280"},
		{web("gateways = [\"192.0.2.255\"]"), "no address for a host"},
		{web("gateways = [\"192.0.2.2\", \"192.0.2.3\"]"), "has two"},
		{web("ranges = [\"192.0.2.9-192.0.2.8\"]"), "no range"},
		{web("ranges = [\"192.0.2.9-192.0.3.8\"]"), "not in one"},
		{web("ranges = [\"192.0.2.1-192.0.2.1\"]"), "only the bridge's"},
		{web("[[networks.web.routes]]\ndestination = \"0.0.0.0/0\"\ngateway = \"192.0.2.9\""), "default route"},
		{web("[[networks.web.routes]]\ndestination = \"198.51.100.1/24\"\ngateway = \"192.0.2.9\""), "no subnet"},
		{web("[[networks.web.routes]]\ndestination = \"198.51.100.0/24\"\ngateway = \"192.0.3.9\""), "no neighbour"},
		{web("[[networks.web.routes]]\ndestination = \"2001:db8::/64\"\ngateway = \"192.0.2.9\""), "no neighbour"},
		{web("[networks.web.dns]\nservers = [\"127.0.0.1\"]"), "can't reach the host's 127.0.0.1"},
		{web("[networks.web.dns]\nservers = [\"dns\"]"), "no address"},
		{web("[networks.web.dns]\nsearch = [\"a b\"]"), "key dns.search"},
		{web("[networks.web.dns]\noptions = [\"a\\nb\"]"), "key dns.options"},
		{"[networks.host]\nsubnets = [\"192.0.2.0/24\"]\n", "means something else"},
		{"[networks.\"a/b\"]\nsubnets = [\"192.0.2.0/24\"]\n", "a name begins"},
		{"[networks.\"" + strings.Repeat("x", 64) + "\"]\nsubnets = [\"192.0.2.0/24\"]\n", "a name begins"},
	} {
		_, err := Parse([]byte(c.file))
		if !errors.Is(err, errdefs.ErrInvalidArgument) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q:\ngot  %v\nwant %q", c.file, err, c.want)
		}
	}
}

func TestLoad(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.toml")
	c, err := Load(file)
	if err != nil || len(c.Networks) != 1 {
		t.Errorf("no file: %+v, %v", c, err)
	}
	if err := os.WriteFile(file, []byte("networks.x = 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err = Load(file); !errors.Is(err, errdefs.ErrInvalidArgument) || !strings.Contains(err.Error(), file) {
		t.Errorf("a wrong file: %v", err)
	}
	if _, err := Load(t.TempDir()); err == nil {
		t.Error("a folder is no error")
	}
	if _, err := Default().Network("web"); !errors.Is(err, errdefs.ErrNotFound) || !strings.Contains(err.Error(), "default") {
		t.Errorf("an unknown network: %v", err)
	}
}

func TestBridgeName_ShortAndDifferent(t *testing.T) {
	names := []string{"default", "a", "twelve-bytes", "thirteen-byte", "thirteen-bytes-1", "thirteen-bytes-2"}
	var got []string
	for _, n := range names {
		b := BridgeName(n)
		if len(b) > maxBridge || !isBridge(b) || slices.Contains(got, b) {
			t.Errorf("%q: %q", n, b)
		}
		got = append(got, b)
	}
	if got[0] != "js-default" || got[2] != "js-twelve-bytes" {
		t.Errorf("got %q", got)
	}
}

func TestSubnet_OfAnAddress(t *testing.T) {
	n := Default().Networks[DefaultNetwork]
	for a, want := range map[string]string{"10.88.3.4": "10.88.0.0/16", "fd00:88::9": "fd00:88::/64", "192.0.2.1": ""} {
		s, ok := n.Subnet(addr(a))
		if ok != (want != "") || ok && s.Prefix.String() != want {
			t.Errorf("%s: got %v, %t", a, s.Prefix, ok)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("[networks.web]\nsubnets = [\"192.0.2.0/24\", \"fd00::/64\"]\nranges = [\"192.0.2.9-192.0.2.20\"]\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := Parse(text)
		if err != nil {
			return
		}
		for _, n := range c.Networks {
			for _, s := range n.Subnets() {
				if !s.usable(s.Gateway) || !s.usable(s.First) || !s.usable(s.Last) || s.Last.Less(s.First) {
					t.Errorf("%q: %+v", text, s)
				}
			}
		}
	})
}
