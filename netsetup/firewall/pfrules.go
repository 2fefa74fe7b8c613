package firewall

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/containerd/errdefs"

	"jailshim/netsetup/port"
)

// pfRoot is the anchor that holds ours.
const pfRoot = "jailshim"

// pfHooks are the lines of the main ruleset that have our anchors evaluated.
var pfHooks = []string{`nat-anchor "jailshim/*"`, `rdr-anchor "jailshim/*"`, `anchor "jailshim/*"`}

func pfAnchor(id string) string { return pfRoot + "/" + id }

// checkPFHooks looks for the hooks in the main rules, as pfctl prints them.
func checkPFHooks(rules string) error {
	missing := slices.DeleteFunc(slices.Clone(pfHooks), func(hook string) bool {
		for line := range strings.Lines(rules) {
			if strings.HasPrefix(line, hook) {
				return true
			}
		}
		return false
	})
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("pf's main rules don't evaluate those of containers: add to /etc/pf.conf, nat-anchor and rdr-anchor before all filter rules, %s; then run \"service pf reload\": %w",
		"the lines "+strings.Join(missing, "; "), errdefs.ErrFailedPrecondition)
}

// pfNetworkRules returns the rules of a network.
//
// The rule on the bridge itself is for connections to a published port from the
// container's own network, and from the host's 127.0.0.1: without the bridge's address
// as their source, the answers would bypass the translation. It meets nothing else:
// what neighbours send each other isn't routed.
func pfNetworkRules(n Network, uplinks []Uplink) string {
	var b strings.Builder
	families := pfFamilies(n)
	for _, f := range families {
		for _, u := range uplinks {
			if u.Name != n.Bridge && len(f.addrs(u)) > 0 {
				fmt.Fprintf(&b, "nat on %q %s from %s to any -> (%q)\n", u.Name, f.name, f.subnet, u.Name+":0")
			}
		}
	}
	for _, f := range families {
		fmt.Fprintf(&b, "nat on %q %s from %s to %s -> %s\n", n.Bridge, f.name, f.local, f.subnet, f.gateway)
	}
	for _, f := range families {
		if n.Isolate {
			fmt.Fprintf(&b, "block drop in quick on %q %s from %s to { %s, ! %s }\n", n.Bridge, f.name, f.subnet, f.subnet, f.gateway)
		}
		fmt.Fprintf(&b, "pass in on %q %s from %s to ! (self)\n", n.Bridge, f.name, f.subnet)
		fmt.Fprintf(&b, "pass out on %q %s from any to %s\n", n.Bridge, f.name, f.subnet)
	}
	return b.String()
}

// pfFamily is what differs between IPv4 and IPv6.
type pfFamily struct {
	name    string
	subnet  netip.Prefix
	local   string // who may reach a container from the host's side of the bridge
	gateway netip.Addr
	addrs   func(Uplink) []netip.Addr
}

func pfFamilies(n Network) []pfFamily {
	var list []pfFamily
	if n.IPv4.IsValid() {
		list = append(list, pfFamily{"inet", n.IPv4, "{ " + n.IPv4.String() + ", 127.0.0.0/8 }", n.Gateway4, func(u Uplink) []netip.Addr { return u.IPv4 }})
	}
	if n.IPv6.IsValid() {
		list = append(list, pfFamily{"inet6", n.IPv6, n.IPv6.String(), n.Gateway6, func(u Uplink) []netip.Addr { return u.IPv6 }})
	}
	return list
}

// pfPublishRules returns the rules of an attachment's ports.
func pfPublishRules(a Attachment) (string, error) {
	var rdr, pass strings.Builder
	for _, m := range a.Ports {
		to, err := a.targets(m)
		if err != nil {
			return "", err
		}
		if m.HostIP == netip.IPv6Loopback() {
			return "", fmt.Errorf("publish %s: the kernel doesn't route from ::1; leave the address out or use 127.0.0.1: %w", m, errdefs.ErrNotImplemented)
		}
		for _, addr := range to {
			family := "inet"
			if addr.Is6() {
				family = "inet6"
			}
			host := "(self)"
			if m.HostIP.IsValid() {
				host = m.HostIP.String()
			}
			target := fmt.Sprint(m.ContainerPort)
			if m.Count > 1 {
				target += ":*"
			}
			fmt.Fprintf(&rdr, "rdr %s proto %s from any to %s port %s -> %s port %s\n", family, m.Protocol, host, pfPorts(m.HostPort, m.Count), addr, target)
			fmt.Fprintf(&pass, "pass in %s proto %s from any to %s port %s\n", family, m.Protocol, addr, pfPorts(m.ContainerPort, m.Count))
		}
	}
	return rdr.String() + pass.String(), nil
}

func pfPorts(first, count uint16) string {
	if count == 1 {
		return fmt.Sprint(first)
	}
	return fmt.Sprintf("%d:%d", first, int(first)+int(count)-1)
}

// targets returns the container's addresses that a mapping is for: that of the host
// address's family, or all.
func (a Attachment) targets(m port.Mapping) ([]netip.Addr, error) {
	var to []netip.Addr
	for _, addr := range []netip.Addr{a.IPv4, a.IPv6} {
		if addr.IsValid() && (!m.HostIP.IsValid() || m.HostIP.Is4() == addr.Is4()) {
			to = append(to, addr)
		}
	}
	if len(to) == 0 {
		return nil, fmt.Errorf("publish %s: the container has no address of that family: %w", m, errdefs.ErrInvalidArgument)
	}
	return to, nil
}
