package plan

import (
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"jailshim/netsetup/port"
)

func TestNew_Place(t *testing.T) {
	const state = "/var/lib/nerdctl/1935db59/containers/default/web1"
	nerdctl := []string{
		"nerdctl/name", "web", "nerdctl/state-dir", state, "nerdctl/extraHosts", `["db:192.0.2.7","v6:[2001:db8::7]"]`,
		"nerdctl/ip", "10.88.0.9", "nerdctl/ip6", "fd00:88::9", "nerdctl/mac-address", "02:00:00:00:00:09",
	}
	s := netSpec("default", nil, nerdctl...)
	s.Hostname = "www"
	p := mustPlan(t, s).Network.Place
	if want := []string{"www", "web", "web1"}; !slices.Equal(p.Names, want) {
		t.Errorf("names %q, want %q", p.Names, want)
	}
	if p.IPv4.String() != "10.88.0.9" || p.IPv6.String() != "fd00:88::9" || p.MAC.String() != "02:00:00:00:00:09" {
		t.Errorf("addresses %s, %s, %s", p.IPv4, p.IPv6, p.MAC)
	}
	if len(p.Hosts) != 2 || p.Hosts[0].Addr.String() != "192.0.2.7" || p.Hosts[1].Addr.String() != "2001:db8::7" || p.Hosts[1].Names[0] != "v6" {
		t.Errorf("lines of its own hosts file: %v", p.Hosts)
	}
	if want := state + "/network-config.json"; p.PortsFile != want || len(p.Ports) > 0 {
		t.Errorf("ports %v in %q, want them in %q", p.Ports, p.PortsFile, want)
	}
	// Our own annotations win.
	s = netSpec("default", nil, append(nerdctl, "io.containerd.jail.ports", "8080:80, 127.0.0.1:53:53/udp",
		"io.containerd.jail.addresses", "fd00:88::5", "io.containerd.jail.mac", "02:00:00:00:00:05")...)
	p = mustPlan(t, s).Network.Place
	if got := port.Format(p.Ports); got != "8080:80/tcp,127.0.0.1:53:53/udp" || p.PortsFile != "" {
		t.Errorf("ports %s, and in %q", got, p.PortsFile)
	}
	if p.IPv4.IsValid() || p.IPv6.String() != "fd00:88::5" || p.MAC.String() != "02:00:00:00:00:05" {
		t.Errorf("addresses %s, %s, %s", p.IPv4, p.IPv6, p.MAC)
	}
}

// Who brings hosts and resolv.conf keeps it; copies that nerdctl makes of the host's
// files are nobody's wish.
func TestNew_Place_NameFiles(t *testing.T) {
	const (
		data     = "/var/lib/nerdctl/1935db59"
		state    = data + "/containers/default/web1"
		hosts    = data + "/etchosts/default/web1/hosts"
		resolver = state + "/resolv.conf"
	)
	file := func(source, target string) specs.Mount {
		return specs.Mount{Type: "nullfs", Source: source, Destination: target}
	}
	for _, test := range []struct {
		what          string
		mounts        []specs.Mount
		dns           string
		hosts, resolv bool
		left          int
	}{
		{"nothing", nil, "", false, false, 0},
		{"nerdctl's copies", []specs.Mount{file(hosts, "/etc/hosts"), file(resolver, "/etc/resolv.conf")}, `{"DNSServers":null}`, false, false, 0},
		{"nerdctl with --dns", []specs.Mount{file(hosts, "/etc/hosts"), file(resolver, "/etc/resolv.conf")}, `{"DNSServers":["192.0.2.53"]}`, false, true, 1},
		{"-v", []specs.Mount{file("/home/me/hosts", "/etc/hosts")}, "", true, false, 1},
		{"all of /etc", []specs.Mount{file("/home/me/etc", "/etc")}, "", true, true, 1},
	} {
		annotations := []string{"nerdctl/state-dir", state}
		if test.dns != "" {
			annotations = append(annotations, "nerdctl/dns", test.dns)
		}
		s := netSpec("default", nil, annotations...)
		s.Mounts = test.mounts
		p := mustPlan(t, s)
		if got := p.Network.Place; got.OwnHosts != test.hosts || got.OwnResolver != test.resolv || len(p.Mounts) != test.left {
			t.Errorf("%s: brings hosts %v, resolv.conf %v, mounts %v", test.what, got.OwnHosts, got.OwnResolver, p.Mounts)
		}
	}
}

func TestNew_Place_Errors(t *testing.T) {
	on := func(annotations ...string) *specs.Spec { return netSpec("default", nil, annotations...) }
	for _, test := range []struct {
		spec  *specs.Spec
		words []string
	}{
		{on("io.containerd.jail.ports", "80"), []string{"io.containerd.jail.ports", "80"}},
		{on("io.containerd.jail.ports", "80:80,80:81"), []string{"io.containerd.jail.ports", "port 80/tcp"}},
		{on("io.containerd.jail.addresses", "10.88.0"), []string{"io.containerd.jail.addresses", `"10.88.0"`}},
		{on("io.containerd.jail.addresses", "10.88.0.1,10.88.0.2"), []string{"io.containerd.jail.addresses", "one address of a family"}},
		{on("io.containerd.jail.mac", "01:00:00:00:00:01"), []string{"io.containerd.jail.mac", "01:00:00:00:00:01"}},
		{on("nerdctl/ip", "x"), []string{"nerdctl/ip", `"x"`}},
		{on("nerdctl/extraHosts", `["a b:192.0.2.1"]`), []string{"nerdctl/extraHosts", "a b"}},
		{on("nerdctl/extraHosts", `["a:b"]`), []string{"nerdctl/extraHosts", "a:b"}},
		{on("nerdctl/state-dir", "/x", "nerdctl/dns", "{"), []string{"nerdctl/dns"}},
		{on("nerdctl/ports", "["), []string{"nerdctl/ports"}},
		{netSpec("", nil, "io.containerd.jail.ports", "80:80"), []string{"io.containerd.jail.ports", "io.containerd.jail.network"}},
		{netSpec("jail:pod", nil, "io.containerd.jail.mac", "02:00:00:00:00:01"), []string{"io.containerd.jail.mac", "io.containerd.jail.network"}},
	} {
		wantInvalid(t, test.spec, test.words...)
	}
	// What nerdctl leaves has no meaning where there is no network.
	p := mustPlan(t, netSpec("", nil, "nerdctl/ip", "10.0.0.1", "nerdctl/state-dir", "/x"))
	if got := p.Network.Place; got.IPv4.IsValid() || got.PortsFile != "" || strings.Join(got.Names, "") != "" {
		t.Errorf("a place without a network: %+v", got)
	}
}
