package netsetup

import (
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
	"testing"

	"jailshim/internal/need"
	"jailshim/jailctl/kernel"
	"jailshim/netsetup/firewall/pf/pftest"
	"jailshim/netsetup/link"
	"jailshim/netsetup/port"
)

// pfConf blocks what nobody allows, but for the test machine's own connections. With
// net.pf.filter_local, what the host is sent passes lo0 as well, in the middle of a
// connection: hence "flags any".
const pfConf = `set skip on { vtnet0 em0 }
nat-anchor "jailshim/*"
rdr-anchor "jailshim/*"
block all
pass on lo0 flags any
pass proto icmp6
pass out from (self)
anchor "jailshim/*"
`

// command runs a command of the base system.
func command(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// setSysctl sets a number until the end of the test.
func setSysctl(t *testing.T, name string, value int) {
	t.Helper()
	before, err := link.Sysctl(name)
	if err == nil {
		err = link.SetSysctl(name, value)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = link.SetSysctl(name, before) })
}

// enableIPFW loads ipfw until the end of the test. One that denies by default would cut
// the machine off.
func enableIPFW(t *testing.T) {
	t.Helper()
	need.Root(t)
	out, err := exec.Command("kenv", "-q", "net.inet.ip.fw.default_to_accept").Output()
	if err != nil || strings.TrimSpace(string(out)) != "1" {
		need.Missing(t, "this test needs an ipfw that accepts by default: write net.inet.ip.fw.default_to_accept=1 into /boot/loader.conf and restart the machine")
	}
	_ = exec.Command("pfctl", "-q", "-d").Run()
	for _, m := range []string{"ipfw", "ipfw_nat"} {
		if !kernel.HasModule(m) {
			if err := kernel.LoadModule(m); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { command(t, "kldunload", m) })
		}
	}
	setSysctl(t, "net.inet.ip.source_address_validation", 0)
}

// The outside is a network stack beside the host, which knows nothing of containers.
var (
	hostOut4, out4 = netip.MustParsePrefix("203.0.113.1/24"), netip.MustParsePrefix("203.0.113.2/24")
	hostOut6, out6 = netip.MustParsePrefix("2001:db8:213::1/64"), netip.MustParsePrefix("2001:db8:213::2/64")
)

func newOutside(t *testing.T) *agent {
	t.Helper()
	const unit = 9400
	host, end := "jtout", fmt.Sprintf("epair%db", unit)
	jid := newJail(t)
	if err := kernel.LoadModule("if_epair"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := link.Run([]link.Call{link.Destroy(host)}); err != nil {
			t.Error(err)
		}
	})
	calls := []link.Call{link.Create("epair", unit), link.Rename(fmt.Sprintf("epair%da", unit), host), link.MoveTo(end, jid)}
	calls = append(append(calls, link.FreshIPv6(host)...), link.Up(host), link.AddAddress(host, hostOut4), link.AddAddress(host, hostOut6))
	if err := link.Run(calls); err != nil {
		t.Fatal(err)
	}
	a := newAgent(t, jid)
	calls = append(append(link.Loopback(), link.Rename(end, "eth0")), link.FreshIPv6("eth0")...)
	a.must(order{Do: "run", Calls: append(calls, link.Up("eth0"), link.AddAddress("eth0", out4), link.AddAddress("eth0", out6))})
	return a
}

func TestTraffic_PF(t *testing.T) {
	need.Root(t)
	pftest.Enable(t, pfConf)
	testTraffic(t, "pf", []bool{false, true})
}

// There is no NAT for IPv6 in ipfw.
func TestTraffic_IPFW(t *testing.T) {
	enableIPFW(t)
	testTraffic(t, "ipfw", []bool{false})
}

// A container reaches the outside by the host's address, and its published ports are
// reached from outside, from the host, from a neighbour and from itself, until Detach.
func testTraffic(t *testing.T, nat string, families []bool) {
	t.Helper()
	out := newOutside(t)
	listenAll(out)
	r := newReal(t, nat, "")
	ports, err := port.Parse("18080:4321,18080:4321/udp")
	if err != nil {
		t.Fatal(err)
	}
	web := r.container(t, Request{Owner: "web", Ports: ports})
	other := r.container(t, Request{Owner: "other"})
	listenAll(web.agent)
	here := newAgent(t, 0)
	for _, network := range []string{"tcp", "udp"} {
		for _, v6 := range families {
			host, outside := hostOut4.Addr(), out4.Addr()
			if v6 {
				host, outside = hostOut6.Addr(), out6.Addr()
			}
			if got := web.must(order{Do: "ask", Network: network, Addr: at(outside), Wait: patience}); got != host.String() {
				t.Errorf("%s: the outside sees %s, want %s", network, got, host)
			}
			published := netip.AddrPortFrom(host, 18080).String()
			for who, from := range map[string]*agent{"outside": out, "host": here, "neighbour": other.agent, "itself": web.agent} {
				got, err := from.tell(order{Do: "ask", Network: network, Addr: published, Wait: patience})
				if err != nil {
					t.Errorf("%s %s from %s: %v", network, published, who, err)
				}
				if who == "outside" && got != outside.String() {
					t.Errorf("%s %s: the container sees %s, want the client's own %s", network, published, got, outside)
				}
			}
			for who, from := range map[string]*agent{"host": here, "neighbour": other.agent} {
				if _, err := from.tell(order{Do: "ask", Network: network, Addr: at(web.addr(v6)), Wait: patience}); err != nil {
					t.Errorf("%s %s from %s: %v", network, at(web.addr(v6)), who, err)
				}
			}
		}
	}
	if err := r.Detach(t.Context(), web.Attachment); err != nil {
		t.Fatal(err)
	}
	if got, err := out.tell(order{Do: "ask", Network: "tcp", Addr: netip.AddrPortFrom(hostOut4.Addr(), 18080).String(), Wait: 1e9}); err == nil {
		t.Errorf("after Detach, %s answers", got)
	}
	if err := r.Detach(t.Context(), other.Attachment); err != nil {
		t.Fatal(err)
	}
	if err := r.Remove(t.Context(), "default"); err != nil {
		t.Fatal(err)
	}
	driver, err := r.driver(t.Context(), nat)
	if err != nil {
		t.Fatal(err)
	}
	if left, err := driver.List(t.Context()); err != nil || len(left) != 0 {
		t.Errorf("rules left: %v, %v", left, err)
	}
}

// SIGKILL at each point leaves no rules either.
func TestFault_RealKillWithPF(t *testing.T) {
	need.Root(t)
	pftest.Enable(t, pfConf)
	testKillWithRules(t, "pf")
}

func TestFault_RealKillWithIPFW(t *testing.T) {
	enableIPFW(t)
	testKillWithRules(t, "ipfw")
}

func testKillWithRules(t *testing.T, nat string) {
	t.Helper()
	r := newReal(t, nat, "")
	jid := newJail(t)
	for _, point := range Points {
		r.killAt(t, point, jid, false)
		driver, err := r.driver(t.Context(), nat)
		if err != nil {
			t.Fatal(err)
		}
		if left, err := driver.List(t.Context()); err != nil || len(left) != 0 {
			t.Errorf("%s: rules left: %v, %v", point, left, err)
		}
		if claims, err := r.ports.List(t.Context()); err != nil || len(claims) != 0 {
			t.Errorf("%s: ports left: %v, %v", point, claims, err)
		}
	}
}
