package firewall

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/netip"

	"jailshim/netsetup/port"
)

// Names of drivers, and Auto for [Select].
const (
	PF   = "pf"
	IPFW = "ipfw"
	None = "none"
	Auto = "auto"
)

// Network is what a driver must know of a network.
type Network struct {
	Name     string
	Bridge   string       // the host's interface
	IPv4     netip.Prefix // zero: none
	IPv6     netip.Prefix
	Gateway4 netip.Addr // the bridge's own addresses
	Gateway6 netip.Addr
	Isolate  bool // containers of the network can't reach each other through the host
}

// Attachment is a container's place in a network.
type Attachment struct {
	Owner   string // unique on the machine
	Network Network
	IPv4    netip.Addr // zero: none
	IPv6    netip.Addr
	Ports   []port.Mapping
}

// Entry is what a driver has in the kernel for an attachment, or for a network.
type Entry struct {
	ID string // see ID
}

// ID returns the name under which the kernel has the rules of an owner in a network;
// with the owner "", of the network itself. It is short, and always the same.
func ID(network, owner string) string {
	kind, name := "net-", network
	if owner != "" {
		kind, name = "jail-", network+"\x00"+owner
	}
	sum := sha256.Sum256([]byte(name))
	return kind + hex.EncodeToString(sum[:8])
}

// Driver keeps rules of ours in a host's firewall. It never touches other rules. All
// methods may be repeated, and be called by many processes at once.
type Driver interface {
	// Name returns PF, IPFW or None.
	Name() string

	// Check tells whether rules of ours would be evaluated, and changes nothing.
	//
	// FailedPrecondition: the firewall is off, or the host's own rules lack the hooks;
	// the error says what to do. What only matters for some uses is a warning.
	Check(ctx context.Context) (warnings []string, err error)

	// AddNetwork loads the rules of a network: masquerading, the way back for
	// containers that use ports published by their neighbours, isolation. If they are
	// loaded and right, that is all it finds out, cheaply: it may be called whenever a
	// container is attached, and so repairs what a restart of the firewall removed.
	//
	// Errors and warnings are those of Check.
	AddNetwork(ctx context.Context, n Network) (warnings []string, err error)

	// RemoveNetwork removes the rules of a network; the attachments' go by Unpublish.
	RemoveNetwork(ctx context.Context, n Network) error

	// Publish loads the rules of the attachment's ports, in place of former ones of the
	// attachment. Without ports it does nothing. Ports that the driver can't publish
	// are NotImplemented. The network's rules must be there.
	Publish(ctx context.Context, a Attachment) error

	// Unpublish removes the rules of the attachment's ports and the states that the
	// firewall keeps of its addresses. What isn't there is no error.
	Unpublish(ctx context.Context, a Attachment) error

	// List returns what there is in the kernel, of networks and attachments.
	List(ctx context.Context) ([]Entry, error)

	// Remove removes an entry that List returned: one whose ID belongs to nothing.
	Remove(ctx context.Context, e Entry) error
}

// Uplink is an interface by which containers reach others than their network.
type Uplink struct {
	Name string
	IPv4 []netip.Addr
	IPv6 []netip.Addr // without link-local ones
}
