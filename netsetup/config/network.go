package config

import "net/netip"

// DefaultPath is where the configuration is looked for.
const DefaultPath = "/usr/local/etc/jailshim.toml"

// DefaultNetwork is the name of the network that exists without configuration.
const DefaultNetwork = "default"

// NAT says who translates addresses for a network.
type NAT string

// The values of NAT.
const (
	NATAuto NAT = "auto" // the firewall that the host runs: pf, else ipfw
	NATPF   NAT = "pf"
	NATIPFW NAT = "ipfw"
	NATNone NAT = "none" // routed: nothing is translated, no port can be published
)

// Config is a configuration that was checked: names, bridges and subnets of its
// networks don't clash.
type Config struct {
	Networks map[string]*Network // by name; DefaultNetwork is always there
}

// Network is one network: a bridge with one or two subnets. All fields are filled in.
type Network struct {
	Name    string  `json:"name"`          // a letter or digit, then these, "_", "." and "-"; ≤ 63 bytes
	Bridge  string  `json:"bridge"`        // name of the host's interface, ≤ 15 bytes; see BridgeName
	IPv4    Subnet  `json:"ipv4,omitzero"` // zero: the network has no IPv4
	IPv6    Subnet  `json:"ipv6,omitzero"` // zero: the network has no IPv6
	MTU     int     `json:"mtu"`
	NAT     NAT     `json:"nat"`
	Isolate bool    `json:"isolate"` // containers of the network can't reach each other
	Routes  []Route `json:"routes,omitempty"`
	DNS     DNS     `json:"dns,omitzero"`
}

// Subnet is an IPv4 or IPv6 subnet. Its zero value is none.
type Subnet struct {
	Prefix  netip.Prefix `json:"prefix"`  // masked
	Gateway netip.Addr   `json:"gateway"` // the bridge's own address, and the containers' default route
	First   netip.Addr   `json:"first"`   // range of the addresses that are given to containers which
	Last    netip.Addr   `json:"last"`    // ask for none; Gateway may lie in it and is never given
}

// IsZero tells whether there is no subnet.
func (s Subnet) IsZero() bool { return !s.Prefix.IsValid() }

// Route is a route that containers get besides the default route.
type Route struct {
	Destination netip.Prefix `json:"destination"` // masked
	Gateway     netip.Addr   `json:"gateway"`     // in one of the network's subnets
}

// DNS is what containers find in /etc/resolv.conf. Without servers, they get the
// host's; search and options replace the host's if there are any.
type DNS struct {
	Servers []netip.Addr `json:"servers,omitempty"`
	Search  []string     `json:"search,omitempty"`
	Options []string     `json:"options,omitempty"`
}

// IsZero tells whether nothing is said.
func (d DNS) IsZero() bool { return len(d.Servers)+len(d.Search)+len(d.Options) == 0 }
