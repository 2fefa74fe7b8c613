package netsetup

import "jailshim/internal/fault"

// Points lists the places where a failure can be injected, in the order in which a
// container's life passes them; see jailshim/internal/fault. A name says what has just
// been done.
var Points = []string{
	pointNetworkRecorded, pointBridgeCreated, pointBridgeNamed, pointBridgeUp, pointNetworkFirewall,
	pointNetwork, pointPorts, pointLease, pointNames,
	pointCreated, pointNamed, pointJoined, pointMoved, pointPublished,
	pointDestroyed, pointUnpublished, pointPortsReleased, pointNamesRemoved, pointReleased,
}

const (
	pointNetworkRecorded = "net.network-recorded" // it is on disk that the network is being made
	pointBridgeCreated   = "net.bridge-created"   // its bridge has the kernel's name
	pointBridgeNamed     = "net.bridge-named"     // its bridge has its name
	pointBridgeUp        = "net.bridge-up"        // its bridge has addresses
	pointNetworkFirewall = "net.network-firewall" // its rules are loaded

	pointNetwork = "net.network" // reserve: the network is there
	pointPorts   = "net.ports"   // reserve: the ports are taken
	pointLease   = "net.lease"   // reserve: the addresses are
	pointNames   = "net.names"   // reserve: the names are

	pointCreated   = "net.epair-created" // attach: the epair has the kernel's name
	pointNamed     = "net.epair-named"   // attach: its host's end has its name
	pointJoined    = "net.epair-joined"  // attach: that is in the bridge
	pointMoved     = "net.epair-moved"   // attach: the other end is in the jail
	pointPublished = "net.published"     // attach: the ports are published

	pointDestroyed     = "net.epair-destroyed" // detach: the epair is gone
	pointUnpublished   = "net.unpublished"     // detach: the rules are
	pointPortsReleased = "net.ports-released"  // detach: the ports are free
	pointNamesRemoved  = "net.names-removed"   // detach: the names are
	pointReleased      = "net.released"        // detach: the addresses are
)

// reached is passed at a point; its error is the point's.
type reached func(point string) error

var _ reached = fault.Point
