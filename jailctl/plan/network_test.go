package plan

import (
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// netSpec has a network namespace with a path ("-": none), and annotations.
func netSpec(path string, jail *specs.FreeBSDJail, annotations ...string) *specs.Spec {
	s := annotated(annotations...)
	s.Linux = &specs.Linux{Namespaces: []specs.LinuxNamespace{{Type: specs.PIDNamespace}, {Type: specs.UTSNamespace}}}
	if path != "-" {
		s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.NetworkNamespace, Path: path})
	}
	if jail != nil {
		s.FreeBSD = &specs.FreeBSD{Jail: jail}
	}
	return s
}

func TestNew_Network(t *testing.T) {
	const (
		net  = "io.containerd.jail.network"
		vnet = "org.freebsd.jail.vnet"
	)
	object := func(j specs.FreeBSDJail) *specs.FreeBSDJail { return &j }
	for _, test := range []struct {
		what string
		spec *specs.Spec
		mode NetworkMode
		name string
		want string // parameters about the network
	}{
		{"no linux section", base(), NetworkHost, "", "ip4=inherit ip6=inherit"},
		{"no network namespace", netSpec("-", nil), NetworkHost, "", "ip4=inherit ip6=inherit"},
		{"empty path", netSpec("", nil), NetworkPrivate, "", "vnet=new"},
		{"ns:default", netSpec("default", nil), NetworkNamed, "default", "vnet=new"},
		{"ns:host", netSpec("host", nil), NetworkHost, "", "ip4=inherit ip6=inherit"},
		{"ns:none", netSpec("none", nil), NetworkPrivate, "", "vnet=new"},
		{"ns:jail:pod", netSpec("jail:pod", nil), NetworkNamed, "jail:pod", "ip4=inherit ip6=inherit"},
		{"CRI", netSpec("/proc/12/ns/net", nil), NetworkNamed, "/proc/12/ns/net", "ip4=inherit ip6=inherit"},
		{"annotation", netSpec("", nil, net, "lan"), NetworkNamed, "lan", "vnet=new"},
		{"annotation host", netSpec("", nil, net, "host"), NetworkHost, "", "ip4=inherit ip6=inherit"},
		{"vnet", netSpec("-", object(specs.FreeBSDJail{Vnet: "new"})), NetworkPrivate, "", "vnet=new"},
		{"vnet and a network", netSpec("lan", object(specs.FreeBSDJail{Vnet: "new"})), NetworkNamed, "lan", "vnet=new"},
		{"vnet inherit", netSpec("", object(specs.FreeBSDJail{Vnet: "inherit"})), NetworkHost, "", "ip4=inherit ip6=inherit vnet=inherit"},
		{"vnet inherit, CRI", netSpec("/proc/1/ns/net", object(specs.FreeBSDJail{Vnet: "inherit"})), NetworkNamed, "/proc/1/ns/net", "ip4=inherit ip6=inherit vnet=inherit"},
		{"annotation vnet", netSpec("-", object(specs.FreeBSDJail{Vnet: "inherit"}), vnet, "new"), NetworkPrivate, "", "vnet=new"},
		{"addresses", netSpec("", object(specs.FreeBSDJail{Ip4Addr: []string{"10.0.0.1"}})), NetworkHost, "", "ip4=new ip4.addr=10.0.0.1 ip6=disable"},
		{"addresses and inherit", netSpec("", object(specs.FreeBSDJail{Ip4Addr: []string{"10.0.0.1"}, Ip4: "inherit", Ip6: "inherit"})), NetworkHost, "", "ip4=new ip4.addr=10.0.0.1 ip6=inherit"},
		{"ip4 only", netSpec("-", object(specs.FreeBSDJail{Ip4: "inherit"})), NetworkHost, "", "ip4=inherit ip6=disable"},
		{"none", netSpec("", object(specs.FreeBSDJail{Ip4: "disable", Ip6: "disable"})), NetworkNone, "", "ip4=disable ip6=disable"},
		{"annotation over object", netSpec("-", object(specs.FreeBSDJail{Ip4Addr: []string{"10.0.0.1"}, Vnet: "inherit"}), net, "lan"), NetworkNamed, "lan", "vnet=new"},
		{"annotation host over vnet", netSpec("", object(specs.FreeBSDJail{Vnet: "new"}), net, "host"), NetworkHost, "", "ip4=inherit ip6=inherit"},
		{"source selection in a vnet", netSpec("", nil, "org.freebsd.jail.ip4.saddrsel", "0"), NetworkPrivate, "", "ip4.nosaddrsel vnet=new"},
		{"ocijail's spelling", annotated("org.freebsd.jail.ip6.add", "fd00::1"), NetworkHost, "", "ip4=disable ip6=new ip6.addr=fd00::1"},
	} {
		p := mustPlan(t, test.spec)
		var got []string
		for _, param := range p.Params {
			if r := renderParam(param); strings.HasPrefix(r, "ip") || strings.HasPrefix(r, "vnet") {
				got = append(got, r)
			}
		}
		if p.Network.Mode != test.mode || p.Network.Name != test.name || strings.Join(got, " ") != test.want {
			t.Errorf("%s: %s %q %v, want %s %q %s", test.what, p.Network.Mode, p.Network.Name, got, test.mode, test.name, test.want)
		}
	}
}

func TestNew_NetworkErrors(t *testing.T) {
	const net = "io.containerd.jail.network"
	jail := func(j specs.FreeBSDJail) *specs.Spec { return netSpec("-", &j) }
	for _, test := range []struct {
		spec  *specs.Spec
		words []string
	}{
		{jail(specs.FreeBSDJail{Vnet: "new", Ip4Addr: []string{"10.0.0.1"}}), []string{"freebsd.jail.ip4Addr", "freebsd.jail.vnet"}},
		{jail(specs.FreeBSDJail{Vnet: "new", Ip6: "inherit"}), []string{"freebsd.jail.ip6", "freebsd.jail.vnet"}},
		{annotated("org.freebsd.jail.vnet", "new", "org.freebsd.jail.ip4", "inherit"), []string{"org.freebsd.jail.vnet", "org.freebsd.jail.ip4"}},
		{jail(specs.FreeBSDJail{Vnet: "disable"}), []string{"freebsd.jail.vnet", "new or inherit"}},
		{jail(specs.FreeBSDJail{Ip4: "disable", Ip4Addr: []string{"10.0.0.1"}}), []string{"freebsd.jail.ip4Addr", "freebsd.jail.ip4 is"}},
		{jail(specs.FreeBSDJail{Ip4Addr: []string{"10.0.0.1/8"}}), []string{"freebsd.jail.ip4Addr", "10.0.0.1/8"}},
		{jail(specs.FreeBSDJail{Interface: "lo1"}), []string{"freebsd.jail.interface", "ip4Addr"}},
		{jail(specs.FreeBSDJail{Interface: "an interface", Ip4Addr: []string{"10.0.0.1"}}), []string{"freebsd.jail.interface"}},
		{jail(specs.FreeBSDJail{VnetInterfaces: []string{"em0"}}), []string{"freebsd.jail.vnetInterfaces", "freebsd.jail.vnet"}},
		{jail(specs.FreeBSDJail{Vnet: "new", VnetInterfaces: []string{"em0", "em0"}}), []string{"vnetInterfaces", "twice"}},
		{jail(specs.FreeBSDJail{Vnet: "new", VnetInterfaces: []string{"averyverylongname"}}), []string{"vnetInterfaces", "averyverylongname"}},
		{netSpec("jail:a..b", nil), []string{"linux.namespaces", "a..b"}},
		{netSpec("jail:a", nil, "org.freebsd.parentJail", "b"), []string{"jail:a", `"b"`}},
		{netSpec("two words", nil), []string{"linux.namespaces[network].path", "two words"}},
		{annotated(net, ""), []string{net, "jail:NAME"}},
		{annotated(net, "../x"), []string{net}},
		{annotated(net, "host", "org.freebsd.jail.vnet", "new"), []string{net, "org.freebsd.jail.vnet"}},
		{annotated(net, "lan", "org.freebsd.jail.ip4.addr", "10.0.0.1"), []string{net, "org.freebsd.jail.ip4.addr"}},
		{with(func(s *specs.Spec) { s.Linux = &specs.Linux{Namespaces: []specs.LinuxNamespace{{Type: "moon"}}} }), []string{"moon"}},
	} {
		wantInvalid(t, test.spec, test.words...)
	}
}

// A container that joins a jail's network becomes its child: there is no other way
// to share a stack.
func TestNew_JoinsJail_IsItsChild(t *testing.T) {
	p := mustPlan(t, netSpec("jail:k8s-pod", nil))
	if p.Parent != "k8s-pod" || p.Name != "k8s-pod.default-web1" || !p.Network.Joins() {
		t.Errorf("parent %s, name %s, network %+v", p.Parent, p.Name, p.Network)
	}
	p = mustPlan(t, netSpec("jail:a", nil, "org.freebsd.parentJail", "a.b"))
	if p.Parent != "a.b" {
		t.Errorf("parent %s, want a.b, which has the network of a", p.Parent)
	}
}

func TestPlan_JoinJail(t *testing.T) {
	p := mustPlan(t, netSpec("/proc/7/ns/net", nil))
	if !p.Network.Joins() {
		t.Fatal("a path joins")
	}
	if err := p.JoinJail("pod", Parent{}); err != nil {
		t.Fatal(err)
	}
	if p.Name != "pod.default-web1" || p.param("name") != "name=pod.default-web1" || p.Parent != "pod" {
		t.Errorf("%s, %s", p.Name, p.param("name"))
	}
	// A parent that sees less than a container that mounts wants to.
	mounts := mustPlan(t, netSpec("/proc/7/ns/net", nil, "org.freebsd.jail.allow.mount", "true"))
	if err := mounts.JoinJail("pod", Parent{Statfs: 2}); err != nil || mounts.param("enforce_statfs") != "enforce_statfs=2" {
		t.Errorf("%s, %v", mounts.param("enforce_statfs"), err)
	}
	if err := p.JoinJail("pod", Parent{}); err != nil || p.Name != "pod.default-web1" {
		t.Errorf("again: %s, %v", p.Name, err)
	}
	if err := p.JoinJail("other", Parent{}); err == nil {
		t.Error("joined another jail than its parent")
	}
	if err := p.JoinJail("a:b", Parent{}); err == nil {
		t.Error("joined a:b")
	}
}

func TestNew_Interfaces(t *testing.T) {
	p := mustPlan(t, netSpec("", &specs.FreeBSDJail{VnetInterfaces: []string{"em0", "vlan1"}}))
	if !slices.Equal(p.Network.Interfaces, []string{"em0", "vlan1"}) {
		t.Errorf("%+v", p.Network)
	}
	p = mustPlan(t, netSpec("-", &specs.FreeBSDJail{Interface: "lo1", Ip6Addr: []string{"fd00::5"}}))
	if p.Network.Interface != "lo1" || len(p.Network.IP6) != 1 || p.Network.IP6[0].String() != "fd00::5" {
		t.Errorf("%+v", p.Network)
	}
}
