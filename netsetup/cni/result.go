package cni

import (
	"net/netip"

	"jailshim/netsetup"
	"jailshim/netsetup/names"
)

// newResult tells the runtime what an attachment has.
func newResult(version, jail string, a *netsetup.Attachment) *result {
	old, mtu := version < "1.0.0", a.MTU
	if version != Version {
		mtu = 0
	}
	r := &result{CNIVersion: version, Interfaces: []netIf{{Name: a.Bridge}, {Name: a.HostEnd}, {Name: a.Interface, MAC: a.MAC, MTU: mtu, Sandbox: jail}}}
	for _, p := range a.Addrs {
		ip := ipConfig{Address: p, Interface: len(r.Interfaces) - 1}
		if old {
			ip.Version = "6"
			if p.Addr().Is4() {
				ip.Version = "4"
			}
		}
		for _, g := range a.Gateways {
			if g.Is4() == p.Addr().Is4() {
				ip.Gateway = g
				r.Routes = append(r.Routes, routeConf{Destination: everywhere(g), Gateway: g})
			}
		}
		r.IPs = append(r.IPs, ip)
	}
	for _, route := range a.Routes {
		r.Routes = append(r.Routes, routeConf{Destination: route.Destination, Gateway: route.Gateway})
	}
	resolver := names.ParseResolver([]byte(a.Resolver))
	r.DNS.Search, r.DNS.Options = resolver.Search, resolver.Options
	for _, s := range resolver.Servers {
		r.DNS.Nameservers = append(r.DNS.Nameservers, s.String())
	}
	return r
}

// everywhere is the default route's destination in an address's family.
func everywhere(a netip.Addr) netip.Prefix {
	if a.Is4() {
		return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	}
	return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
}
