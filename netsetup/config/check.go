package config

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

const (
	maxName   = 63
	maxBridge = 15 // IFNAMSIZ - 1, sys/net/if.h:61

	minMTU   = 576
	minMTU6  = 1280  // RFC 8200, section 5
	maxMTU   = 65535 // ETHER_MAX_LEN_JUMBO is less, but epair(4) takes it
	minBits4 = 8     // more addresses than anybody counts
	maxBits4 = 30    // one for the bridge and one for a container
	minBits6 = 32
	maxBits6 = 126

	bridgePrefix = "js-"
)

// reservedNames are what clients call something that is no network of ours.
var reservedNames = []string{"host", "none"}

// network checks what was written and fills in what was not.
func (f fileNetwork) network(name string) (*Network, error) {
	n := &Network{Name: name, Bridge: f.Bridge, MTU: defaultMTU, NAT: NATAuto, Isolate: f.Isolate}
	if err := checkName(name); err != nil {
		return nil, err
	}
	if n.Bridge == "" {
		n.Bridge = BridgeName(name)
	} else if !isBridge(n.Bridge) {
		return nil, fmt.Errorf("key bridge: %q is no name of an interface: a letter, then letters, digits, \"_\", \".\" and \"-\", at most %d in all", n.Bridge, maxBridge)
	}
	if f.NAT != nil {
		n.NAT = *f.NAT
	}
	if !slices.Contains([]NAT{NATAuto, NATPF, NATIPFW, NATNone}, n.NAT) {
		return nil, fmt.Errorf("key nat: %q is none of auto, pf, ipfw, none", n.NAT)
	}
	if err := f.subnets(n); err != nil {
		return nil, err
	}
	if f.MTU != nil {
		n.MTU = *f.MTU
	}
	if n.MTU < minMTU || n.MTU > maxMTU || !n.IPv6.IsZero() && n.MTU < minMTU6 {
		return nil, fmt.Errorf("key mtu: %d is not from %d (with IPv6 %d) to %d", n.MTU, minMTU, minMTU6, maxMTU)
	}
	if err := f.routes(n); err != nil {
		return nil, err
	}
	return n, f.DNS.resolver(n)
}

// BridgeName returns the name of a network's bridge when the file names none: "js-"
// and the network's name, with a hash in place of the rest of a long one.
func BridgeName(network string) string {
	name := bridgePrefix + network
	if len(name) <= maxBridge {
		return name
	}
	sum := sha256.Sum256([]byte(network))
	const digits = 6
	return name[:maxBridge-digits] + hex.EncodeToString(sum[:])[:digits]
}

func checkName(name string) error {
	if slices.Contains(reservedNames, name) {
		return fmt.Errorf("the name means something else to clients: choose another")
	}
	if len(name) == 0 || len(name) > maxName || !isWord(name[0]) || name[0] == '_' || !isPlain(name) {
		return fmt.Errorf("a name begins with a letter or a digit, goes on with these, \"_\", \".\" and \"-\", and has at most %d bytes", maxName)
	}
	return nil
}

func isBridge(name string) bool {
	return len(name) <= maxBridge && isWord(name[0]) && name[0] > '9' && name[0] != '_' && isPlain(name)
}

func isPlain(s string) bool {
	for _, c := range []byte(s) {
		if !isWord(c) && c != '.' && c != '-' {
			return false
		}
	}
	return true
}

func isWord(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
}

func (f fileNetwork) subnets(n *Network) error {
	if len(f.Subnets) == 0 {
		return errors.New("key subnets is missing: name an IPv4 or an IPv6 subnet, or one of each")
	}
	for _, text := range f.Subnets {
		s, err := parseSubnet(text)
		if err != nil {
			return fmt.Errorf("key subnets: %w", err)
		}
		of := &n.IPv4
		if s.Prefix.Addr().Is6() {
			of = &n.IPv6
		}
		if !of.IsZero() {
			return fmt.Errorf("key subnets: %s and %s are of one family: at most one of each is possible", of.Prefix, s.Prefix)
		}
		*of = s
	}
	if err := f.gateways(n); err != nil {
		return fmt.Errorf("key gateways: %w", err)
	}
	if err := f.ranges(n); err != nil {
		return fmt.Errorf("key ranges: %w", err)
	}
	return nil
}

func parseSubnet(text string) (Subnet, error) {
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return Subnet{}, fmt.Errorf("%q is no subnet: write it as 10.88.0.0/16 or fd00:88::/64", text)
	}
	a, least, most := p.Addr(), minBits4, maxBits4
	if a.Is6() {
		least, most = minBits6, maxBits6
	}
	switch {
	case p != p.Masked():
		return Subnet{}, fmt.Errorf("%s has bits beyond its mask: the subnet is %s", p, p.Masked())
	case p.Bits() > most:
		return Subnet{}, fmt.Errorf("%s is too small: at most /%d leaves room for the bridge and a container", p, most)
	case p.Bits() < least:
		return Subnet{}, fmt.Errorf("%s is too large: at least /%d", p, least)
	case a.Is4In6() || a.IsUnspecified() || a.IsLoopback() || a.IsMulticast() || a.IsLinkLocalUnicast():
		return Subnet{}, fmt.Errorf("%s is not for hosts of a network", p)
	}
	s := Subnet{Prefix: p, Gateway: a.Next(), First: a.Next(), Last: lastAddr(p)}
	if a.Is4() {
		s.Last = s.Last.Prev() // the last is the broadcast address
	}
	return s, nil
}

// lastAddr returns the last address of a subnet.
func lastAddr(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := range b {
		if bits := p.Bits() - 8*i; bits < 8 {
			b[i] |= 0xff >> max(bits, 0)
		}
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// usable tells whether a subnet's address can be that of a host.
func (s Subnet) usable(a netip.Addr) bool {
	return s.Prefix.Contains(a) && a != s.Prefix.Addr() && (a.Is6() || a != lastAddr(s.Prefix))
}

// of returns the network's own subnet that an address is in, to change it.
func (n *Network) of(a netip.Addr) *Subnet {
	for _, s := range []*Subnet{&n.IPv4, &n.IPv6} {
		if !s.IsZero() && s.usable(a) {
			return s
		}
	}
	return nil
}

func (f fileNetwork) gateways(n *Network) error {
	seen := map[*Subnet]bool{}
	for _, text := range f.Gateways {
		a, err := netip.ParseAddr(text)
		if err != nil {
			return fmt.Errorf("%q is no address", text)
		}
		s := n.of(a)
		if s == nil {
			return fmt.Errorf("%s is no address for a host in the network's subnets", a)
		}
		if seen[s] {
			return fmt.Errorf("%s has two", s.Prefix)
		}
		seen[s] = true
		s.Gateway = a
	}
	return nil
}

func (f fileNetwork) ranges(n *Network) error {
	seen := map[*Subnet]bool{}
	for _, text := range f.Ranges {
		from, to, _ := strings.Cut(text, "-")
		first, err1 := netip.ParseAddr(strings.TrimSpace(from))
		last, err2 := netip.ParseAddr(strings.TrimSpace(to))
		if err1 != nil || err2 != nil || last.Less(first) {
			return fmt.Errorf("%q is no range: write it as 10.88.0.10-10.88.0.99", text)
		}
		s := n.of(first)
		switch {
		case s == nil || !s.usable(last):
			return fmt.Errorf("%q is not in one of the network's subnets", text)
		case seen[s]:
			return fmt.Errorf("%s has two", s.Prefix)
		case first == last && first == s.Gateway:
			return fmt.Errorf("%q has only the bridge's own address", text)
		}
		seen[s] = true
		s.First, s.Last = first, last
	}
	return nil
}

func (f fileNetwork) routes(n *Network) error {
	for _, r := range f.Routes {
		to, err := netip.ParsePrefix(r.Destination)
		if err != nil || to != to.Masked() {
			return fmt.Errorf("key routes.destination: %q is no subnet: write it as 198.51.100.0/24", r.Destination)
		}
		if to.Bits() == 0 {
			return fmt.Errorf("key routes.destination: %q is the default route, which is the network's gateway: change key gateways", r.Destination)
		}
		by, err := netip.ParseAddr(r.Gateway)
		if err != nil {
			return fmt.Errorf("key routes.gateway: %q is no address", r.Gateway)
		}
		if n.of(by) == nil || by.Is4() != to.Addr().Is4() {
			return fmt.Errorf("key routes.gateway: %s is no neighbour for the route to %s: it must be in the network's subnet of that family", by, to)
		}
		n.Routes = append(n.Routes, Route{Destination: to, Gateway: by})
	}
	return nil
}

// resolver checks that each word can stand in resolv.conf.
func (f fileDNS) resolver(n *Network) error {
	for _, text := range f.Servers {
		a, err := netip.ParseAddr(text)
		if err != nil {
			return fmt.Errorf("key dns.servers: %q is no address", text)
		}
		if a.IsLoopback() || a.IsUnspecified() {
			return fmt.Errorf("key dns.servers: a container can't reach the host's %s: use an address of the bridge, such as %s", a, n.Subnets()[0].Gateway)
		}
		n.DNS.Servers = append(n.DNS.Servers, a)
	}
	for key, words := range map[string][]string{"search": f.Search, "options": f.Options} {
		for _, w := range words {
			if w == "" || strings.ContainsAny(w, " \t\r\n#;") {
				return fmt.Errorf("key dns.%s: %q is no single word", key, w)
			}
		}
	}
	n.DNS.Search, n.DNS.Options = f.Search, f.Options
	return nil
}
