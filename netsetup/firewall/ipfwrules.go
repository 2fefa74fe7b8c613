package firewall

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/containerd/errdefs"

	"jailshim/netsetup/firewall/ipfw"
	"jailshim/netsetup/port"
)

// What we take of ipfw's name spaces. The rules come early: a user's rule that accepts
// what it takes for traffic of the host would keep it from being translated.
const (
	ipfwSet     = 30 // of rules in force
	ipfwStaging = 29 // of rules that are about to be
	ipfwFirst   = 40 // numbers of rules
	ipfwLast    = 49

	ipfwTableIn      = "jailshim_in"       // published: host's address and port → instance
	ipfwTableOut     = "jailshim_out"      // published: container's address and port → instance
	ipfwTableHostIn  = "jailshim_host_in"  // the same for connections from the host itself
	ipfwTableHostOut = "jailshim_host_out" // → an instance that works the other way round

	ipfwFirstNAT  = 40000 // instances of networks and uplinks
	ipfwFirstSlot = 41000 // pairs of instances of containers
	ipfwLastNAT   = 64999

	// Alias ports of masqueraded connections, apart from those where the host's own
	// services are: a packet to them ends at our rule if net.inet.ip.fw.one_pass is 1.
	masqueradeLo, masqueradeHi = 61000, 65535

	protoICMP, protoTCP, protoUDP = 1, 6, 17
)

var ipfwTables = map[string]ipfw.FlowKey{
	ipfwTableIn: ipfw.ByDestination, ipfwTableOut: ipfw.BySource,
	ipfwTableHostIn: ipfw.ByDestination, ipfwTableHostOut: ipfw.BySource,
}

// ipfwRules returns all rules, for networks whose instances and those of uplinks
// numbers tells by their IDs. Each packet of a connection meets one that translates:
//
//	40  in   to a published port                        → the container
//	41  in   answer to a neighbour by way of the host   → the neighbour
//	42  in   answer of a published port to the host     ← the host's port
//	43  in   answer from outside                        → the container
//	44  out  from the host to its own published port    → the container
//	45  out  answer of a published port                 ← the host's port
//	46  out  to a neighbour by way of the host          ← the bridge's address
//	47  out  from a container to outside                ← the host's address
//	48       what isolation forbids
//	49       what a user's rules must not stop: traffic of containers that isn't to the
//	         host itself
func ipfwRules(networks []Network, uplinks []Uplink, numbers map[string]uint16) []ipfw.Rule {
	var b ipfwBuilder
	networks4 := slices.DeleteFunc(slices.Clone(networks), func(n Network) bool { return !n.IPv4.IsValid() })
	b.add(40, ipfw.NATTable, ipfw.IPv4, ipfw.ToMe, ipfw.In, ipfw.Not(ipfw.Recv("lo0")), ipfw.Flow(ipfwTableIn))
	for _, n := range networks4 {
		b.add(41, ipfw.NAT(numbers[ID(n.Name, "")]), ipfw.From(n.IPv4), ipfw.ToAddr(n.Gateway4), ipfw.ToPorts(masqueradeLo, masqueradeHi), ipfw.In, ipfw.Recv(n.Bridge))
	}
	fromHost := []ipfw.Insn{ipfw.IPv4, ipfw.FromMe, ipfw.ToMe, ipfw.Out, ipfw.Xmit("lo0")}
	for _, n := range networks4 {
		b.add(42, ipfw.NATTable, ipfw.IPv4, ipfw.ToMe, ipfw.Not(ipfw.ToAddr(n.Gateway4)), ipfw.In, ipfw.Recv(n.Bridge), ipfw.Flow(ipfwTableHostOut))
		fromHost = append(fromHost, ipfw.Not(ipfw.ToAddr(n.Gateway4)))
	}
	for _, u := range uplinks {
		if number, ok := numbers[uplinkID(u.Name)]; ok {
			in := []ipfw.Insn{ipfw.ToMe, ipfw.In, ipfw.Recv(u.Name)}
			b.add(43, ipfw.NAT(number), append([]ipfw.Insn{ipfw.IPv4, ipfw.ToPorts(masqueradeLo, masqueradeHi)}, in...)...)
			b.add(43, ipfw.NAT(number), append([]ipfw.Insn{ipfw.Proto(protoICMP), ipfw.ICMPTypes(0, 3, 4, 11, 12)}, in...)...)
		}
	}
	b.add(44, ipfw.NATTable, append(fromHost, ipfw.Flow(ipfwTableHostIn))...)
	b.add(45, ipfw.NATTable, ipfw.IPv4, ipfw.Out, ipfw.Flow(ipfwTableOut))
	for _, n := range networks4 {
		b.add(46, ipfw.NAT(numbers[ID(n.Name, "")]), ipfw.From(n.IPv4), ipfw.To(n.IPv4), ipfw.Out, ipfw.Xmit(n.Bridge))
	}
	for _, n := range networks4 {
		for _, u := range uplinks {
			if number, ok := numbers[uplinkID(u.Name)]; ok && u.Name != n.Bridge {
				b.add(47, ipfw.NAT(number), ipfw.From(n.IPv4), ipfw.Out, ipfw.Xmit(u.Name))
			}
		}
	}
	b.filters(networks)
	return b.rules
}

type ipfwBuilder struct{ rules []ipfw.Rule }

func (b *ipfwBuilder) add(number uint32, action ipfw.Insn, match ...ipfw.Insn) {
	b.rules = append(b.rules, ipfw.Rule{Number: number, Set: ipfwStaging, Match: match, Action: action})
}

func (b *ipfwBuilder) filters(networks []Network) {
	each := func(number uint32, action ipfw.Insn, matches func(n Network, subnet netip.Prefix, toMe ipfw.Insn) [][]ipfw.Insn) {
		for _, n := range networks {
			if n.IPv4.IsValid() {
				for _, m := range matches(n, n.IPv4, ipfw.ToMe) {
					b.add(number, action, m...)
				}
			}
			if n.IPv6.IsValid() {
				for _, m := range matches(n, n.IPv6, ipfw.ToMe6) {
					b.add(number, action, m...)
				}
			}
		}
	}
	each(48, ipfw.Deny, func(n Network, subnet netip.Prefix, toMe ipfw.Insn) [][]ipfw.Insn {
		if !n.Isolate {
			return nil
		}
		return [][]ipfw.Insn{{ipfw.From(subnet), ipfw.To(subnet), ipfw.Not(toMe), ipfw.In, ipfw.Recv(n.Bridge)}}
	})
	each(49, ipfw.Allow, func(n Network, subnet netip.Prefix, toMe ipfw.Insn) [][]ipfw.Insn {
		return [][]ipfw.Insn{
			{ipfw.From(subnet), ipfw.Not(toMe), ipfw.In, ipfw.Recv(n.Bridge)},
			{ipfw.To(subnet), ipfw.Out, ipfw.Xmit(n.Bridge)},
		}
	})
}

// uplinkID returns the name under which the record has an uplink's instance.
func uplinkID(name string) string { return "if-" + name }

// slot is what a container has in ipfw: two instances and entries in the tables.
type slot struct {
	Number  uint16         `json:"number"` // of the first instance
	Addr    netip.Addr     `json:"addr"`
	Gateway netip.Addr     `json:"gateway"`
	Hosts   []netip.Addr   `json:"hosts"` // the host's addresses, when it was published
	Ports   []port.Mapping `json:"ports"`
}

// newSlot checks that ipfw can publish an attachment's ports.
func newSlot(a Attachment, uplinks []Uplink) (slot, error) {
	s := slot{Addr: a.IPv4, Gateway: a.Network.Gateway4}
	for _, m := range a.Ports {
		switch {
		case m.HostIP.Is6():
			return s, fmt.Errorf("publish %s: ipfw has no NAT for IPv6: leave the address out, or use pf: %w", m, errdefs.ErrNotImplemented)
		case m.HostIP.IsLoopback():
			return s, fmt.Errorf("publish %s: ipfw can't lead connections from 127.0.0.1 to a container: leave the address out, or use pf: %w", m, errdefs.ErrNotImplemented)
		case m.Protocol != port.TCP && m.Protocol != port.UDP:
			return s, fmt.Errorf("publish %s: ipfw's NAT does not translate the ports of %s: use pf: %w", m, m.Protocol, errdefs.ErrNotImplemented)
		case !a.IPv4.IsValid():
			return s, fmt.Errorf("publish %s: the container has no IPv4 address, and ipfw has no NAT for IPv6: use pf: %w", m, errdefs.ErrNotImplemented)
		}
		s.Ports = append(s.Ports, m)
	}
	for _, u := range uplinks {
		s.Hosts = append(s.Hosts, u.IPv4...)
	}
	if len(s.Hosts) == 0 {
		return s, fmt.Errorf("the host has no IPv4 address to publish ports at: %w", errdefs.ErrFailedPrecondition)
	}
	return s, nil
}

// hosts returns the addresses of the host at which a mapping is published.
func (s slot) hosts(m port.Mapping) []netip.Addr {
	if m.HostIP.IsValid() {
		return []netip.Addr{m.HostIP}
	}
	return s.Hosts
}

// instances returns the two NAT instances: for others, and for the host itself.
func (s slot) instances() []ipfw.Instance {
	outer := ipfw.Instance{Number: s.Number, Addr: s.Hosts[0]}
	for _, m := range s.Ports {
		for _, h := range s.hosts(m) {
			outer.Redirects = append(outer.Redirects, ipfw.Redirect{
				Proto: protocolNumber(m.Protocol), Alias: h, AliasPort: m.HostPort, To: s.Addr, ToPort: m.ContainerPort, Count: m.Count,
			})
		}
	}
	inner := outer
	inner.Number, inner.Reverse = s.Number+1, true
	return []ipfw.Instance{outer, inner}
}

// entries returns what the slot has in each table.
func (s slot) entries() map[string][]ipfw.Entry {
	tables := map[string][]ipfw.Entry{}
	add := func(table string, a netip.Addr, m port.Mapping, p uint16, number uint16) {
		tables[table] = append(tables[table], ipfw.Entry{Addr: a, Proto: protocolNumber(m.Protocol), Port: p, NAT: uint32(number)})
	}
	for _, m := range s.Ports {
		for i := range m.Count {
			add(ipfwTableOut, s.Addr, m, m.ContainerPort+i, s.Number)
			add(ipfwTableHostOut, s.Addr, m, m.ContainerPort+i, s.Number+1)
			for _, h := range s.hosts(m) {
				add(ipfwTableIn, h, m, m.HostPort+i, s.Number)
				if h != s.Gateway {
					add(ipfwTableHostIn, h, m, m.HostPort+i, s.Number+1)
				}
			}
		}
	}
	return tables
}

func protocolNumber(p port.Protocol) uint8 {
	if p == port.UDP {
		return protoUDP
	}
	return protoTCP
}
