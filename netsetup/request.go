package netsetup

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/containerd/errdefs"

	"jailshim/netsetup/config"
	"jailshim/netsetup/firewall"
	"jailshim/netsetup/link"
	"jailshim/netsetup/names"
	"jailshim/netsetup/port"
)

// DefaultInterface is what a container's interface is called in it.
const DefaultInterface = "eth0"

// Request is what one container wants of one network. Its zero values leave the choice
// to the network.
type Request struct {
	// Owner is the container's key, unique on the machine: [A-Za-z0-9_-]+, at most 255
	// bytes. It belongs to one caller, which makes one call for it at a time.
	//
	// Until Attach, Reserve may be repeated, as by a caller that was killed before it had
	// stored the Attachment: it gets the same addresses again, if it asks for no others,
	// and its ports and names are those of the last call. From then on until Detach it is
	// refused with AlreadyExists. Whoever gets an error from Reserve has nothing to give
	// back: what the key has then may be somebody else's, and neither Detach nor a GC
	// that takes the container for dead may follow.
	Owner   string
	Network string // a network of the configuration
	// Names under which the containers of the network find it, the host name first.
	Names []string
	// Hosts are lines that only this container has in its hosts file.
	Hosts     []names.Host
	IPv4      netip.Addr
	IPv6      netip.Addr
	MAC       net.HardwareAddr // six bytes, of one host
	Ports     []port.Mapping
	Interface string // what its interface is called in it
}

// Attachment is a container's place in a network: all that is needed to make it and
// to remove it.
type Attachment struct {
	Owner     string         `json:"owner"`
	Network   string         `json:"network"`
	Bridge    string         `json:"bridge"`
	HostEnd   string         `json:"host_end"`  // of the epair, on the host
	Interface string         `json:"interface"` // the other end, in the jail
	MAC       string         `json:"mac"`       // of the other end
	MTU       int            `json:"mtu"`
	Addrs     []netip.Prefix `json:"addrs"` // at most one of a family
	// Gateways are the bridge's own addresses, and the default routes.
	Gateways []netip.Addr   `json:"gateways"`
	Routes   []config.Route `json:"routes,omitempty"`
	Isolate  bool           `json:"isolate,omitempty"`
	Ports    []port.Mapping `json:"ports,omitempty"`
	Firewall string         `json:"firewall"` // the driver's name
	// Hosts is the path of the file to be mounted, read-only, as /etc/hosts; Resolver
	// the text of /etc/resolv.conf.
	Hosts    string `json:"hosts"`
	Resolver string `json:"resolver"`
	// Warnings are what works less well than it could.
	Warnings []string `json:"warnings,omitempty"`
}

// hashDigits is how much of a hash is in the name of a host's end: one in 2^48.
const hashDigits = 12

// hostEnd names the host's end of an epair.
func (m *Manager) hostEnd(owner, network string) string {
	return m.options.Prefix + hex.EncodeToString(digest(owner, network)[:hashDigits/2])
}

// digest is a hash of words.
func digest(words ...string) []byte {
	sum := sha256.Sum256([]byte(strings.Join(words, "\x00")))
	return sum[:]
}

// macOf derives a MAC from a network and addresses in it, so that who has an address
// next is found where others remember it. The kernel's own choice collides on machines
// that were cloned.
func macOf(network string, addrs []netip.Addr) net.HardwareAddr {
	words := []string{"mac", network}
	for _, a := range addrs {
		words = append(words, a.String())
	}
	mac := net.HardwareAddr(digest(words...)[:6])
	mac[0] = 0x02 // locally administered, of one host
	return mac
}

// check returns what is wrong with a request, as InvalidArgument.
func (r *Request) check(n *config.Network) error {
	wrong := func(format string, args ...any) error {
		return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), errdefs.ErrInvalidArgument)
	}
	if r.Owner == "" || len(r.Owner) > 255 || strings.Trim(r.Owner, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "" {
		return wrong("%q is no key of a container: letters, digits, \"_\" and \"-\" make one, of at most 255 bytes", r.Owner)
	}
	if len(r.Interface) > link.MaxName || !plainName(r.Interface) {
		return wrong("%q is no name of an interface: a letter, then letters, digits, \"_\", \".\" and \"-\", at most %d in all", r.Interface, link.MaxName)
	}
	if len(r.MAC) != 0 && (len(r.MAC) != 6 || r.MAC[0]&1 != 0) {
		return wrong("%s is no Ethernet address of one host", r.MAC)
	}
	if r.IPv4.IsValid() && (!r.IPv4.Is4() || n.IPv4.IsZero()) {
		return wrong("network %q has no IPv4 address %s", n.Name, r.IPv4)
	}
	if r.IPv6.IsValid() && (!r.IPv6.Is6() || r.IPv6.Is4In6() || r.IPv6.Zone() != "" || n.IPv6.IsZero()) {
		return wrong("network %q has no IPv6 address %s", n.Name, r.IPv6)
	}
	if len(r.Ports) > 0 && n.NAT == config.NATNone {
		return wrong("network %q has nat = \"none\": no port can be published", n.Name)
	}
	return port.Check(r.Ports)
}

// plainName tells whether a name can be that of an interface.
func plainName(s string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	return s != "" && strings.Contains(letters, s[:1]) && strings.Trim(s, letters+"0123456789_.-") == ""
}

// firewalled returns what a firewall must know of the attachment.
func (a *Attachment) firewalled() firewall.Attachment {
	f := firewall.Attachment{
		Owner: a.Owner, Ports: a.Ports,
		Network: firewall.Network{Name: a.Network, Bridge: a.Bridge, Isolate: a.Isolate},
	}
	for _, g := range a.Gateways {
		if g.Is4() {
			f.Network.Gateway4 = g
		} else {
			f.Network.Gateway6 = g
		}
	}
	for _, p := range a.Addrs {
		if p.Addr().Is4() {
			f.IPv4, f.Network.IPv4 = p.Addr(), p.Masked()
		} else {
			f.IPv6, f.Network.IPv6 = p.Addr(), p.Masked()
		}
	}
	return f
}

// claim is under which name the ports of an attachment are registered: a container may
// publish some in each of its networks.
func claim(owner, network string) string { return owner + "/" + network }

// claimOwner is the container of such a name.
func claimOwner(claim string) string {
	owner, _, _ := strings.Cut(claim, "/")
	return owner
}
