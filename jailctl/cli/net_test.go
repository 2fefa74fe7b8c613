package cli

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"

	"jailshim/netsetup"
	"jailshim/netsetup/config"
)

func TestDescribeNetwork(t *testing.T) {
	n := &netsetup.Network{Network: *config.Default().Networks["default"], Configured: true, Exists: true, Made: true, Firewall: "pf", Warnings: []string{"look out"}}
	n.Isolate = true
	n.Members = []netsetup.Member{
		{Owner: "default-web", Names: []string{"web", "www"}, Addrs: []netip.Addr{netip.MustParseAddr("10.88.0.2"), netip.MustParseAddr("fd00:88::2")}, HostEnd: "jn0a1b2c", Attached: true},
		{Owner: "default-db", Addrs: []netip.Addr{netip.MustParseAddr("10.88.0.3")}, HostEnd: "jn3d4e5f"},
	}
	var out bytes.Buffer
	if err := describeNetwork(&out, n); err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(out.String()) {
		got = append(got, strings.Join(strings.Fields(line), " "))
	}
	want := []string{
		"network: default", "state: up", "bridge: js-default",
		"subnet: 10.88.0.0/16, gateway 10.88.0.1, given are 10.88.0.1 to 10.88.255.254",
		"subnet: fd00:88::/64, gateway fd00:88::1, given are fd00:88::1 to fd00:88::ffff:ffff:ffff:ffff",
		"mtu: 1500", "firewall: pf", "isolated: its containers can't reach each other", "warning: look out", "",
		"CONTAINER NAMES ADDRESSES INTERFACE",
		"default-web web www 10.88.0.2 fd00:88::2 jn0a1b2c",
		"default-db 10.88.0.3 jn3d4e5f (not there)",
	}
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		t.Errorf("got\n%s\nwant\n%s", g, w)
	}
}

func TestNetworkStatus(t *testing.T) {
	for want, n := range map[string]netsetup.Network{
		"up":                             {Exists: true, Configured: true, Made: true},
		"up, on a bridge that was there": {Exists: true, Configured: true},
		"up, no longer configured":       {Exists: true, Made: true},
		"gone, no longer configured":     {Made: true},
		"not made yet":                   {Configured: true},
	} {
		if got := networkStatus(&n); got != want {
			t.Errorf("%+v: %q, want %q", n, got, want)
		}
	}
}

// The command is for people who mistype.
func TestRun_NetMistakes_Named(t *testing.T) {
	for _, args := range [][]string{{"net", "list-all"}, {"net", "inspect"}, {"net", "rm"}, {"net", "ls", "default"}, {"net", "prune", "default"}} {
		if got := run(t, args...); got.status != 1 || got.err == "" || got.out != "" {
			t.Errorf("%v: %+v", args, got)
		}
	}
}
