package netsetup

import (
	"context"
	"fmt"
	"net/netip"

	"jailshim/netsetup/link"
)

// epairMTU is the MTU of a new epair, ETHERMTU in sys/net/ethernet.h.
const epairMTU = 1500

// Attach puts a jail, which has a network stack of its own, on the attachment's
// network, and publishes its ports. It returns what is then to be done in the jail's
// network stack: by [link.Run], or by a process of the jail, before it needs the
// network.
//
// On an error nothing is left of it; the reservation stays until Detach. A second call
// begins anew. Errors of the kernel wrap a [link.Error].
func (m *Manager) Attach(ctx context.Context, a *Attachment, jid int) (_ []link.Call, err error) {
	var u undo
	unit, err := m.attach(ctx, a, jid, &u)
	if err != nil {
		return nil, u.run(ctx, fmt.Errorf("attach %q to network %q: %w", a.Owner, a.Network, err))
	}
	return a.inJail(fmt.Sprintf("epair%db", unit)), nil
}

func (m *Manager) attach(ctx context.Context, a *Attachment, jid int, u *undo) (unit int, err error) {
	mac, err := a.mac()
	if err != nil {
		return 0, err
	}
	driver, err := m.driver(ctx, a.Firewall)
	if err != nil {
		return 0, err
	}
	destroy := []link.Call{link.Destroy(a.HostEnd)}
	if err := m.system.Run(destroy); err != nil {
		return 0, err
	}
	if unit, err = m.createFresh(ctx, "epair", "a", a.HostEnd, digest(a.Owner, a.Network), pointCreated); err != nil {
		return 0, err
	}
	u.add(func(context.Context) error { return m.system.Run(destroy) })
	if err := m.reached(pointNamed); err != nil {
		return 0, err
	}
	jailEnd := fmt.Sprintf("epair%db", unit)
	ask := []link.Call{link.GetCaps(a.HostEnd)}
	if err := m.system.Run(ask); err != nil {
		return 0, err
	}
	calls := []link.Call{link.SetMAC(jailEnd, mac), link.SetDescription(a.HostEnd, "jailshim "+a.Owner)}
	if c, ok := link.NoTXChecksums(a.HostEnd, ask[0]); ok {
		calls = append(calls, c)
	}
	if a.MTU != epairMTU {
		// A bridge's member can't change it any more.
		calls = append(calls, link.SetMTU(a.HostEnd, a.MTU), link.SetMTU(jailEnd, a.MTU))
	}
	calls = append(calls, link.AddMember(a.Bridge, a.HostEnd))
	if a.Isolate {
		calls = append(calls, link.SetPrivate(a.Bridge, a.HostEnd, true))
	}
	if err := m.system.Run(append(calls, link.Up(a.HostEnd))); err != nil {
		return 0, err
	}
	if err := m.reached(pointJoined); err != nil {
		return 0, err
	}
	if err := m.system.Run([]link.Call{link.MoveTo(jailEnd, jid)}); err != nil {
		return 0, err
	}
	if err := m.reached(pointMoved); err != nil {
		return 0, err
	}
	u.add(func(ctx context.Context) error { return driver.Unpublish(ctx, a.firewalled()) })
	if err := driver.Publish(ctx, a.firewalled()); err != nil {
		return 0, err
	}
	return unit, m.reached(pointPublished)
}

// inJail is what a process of the jail does with its end of the epair, which is fresh.
func (a *Attachment) inJail(jailEnd string) []link.Call {
	name := a.Interface
	calls := []link.Call{link.Rename(jailEnd, name)}
	for _, p := range a.Addrs {
		if p.Addr().Is6() {
			calls = append(calls, link.FreshIPv6(name)...)
		}
	}
	calls = append(calls, link.Up(name))
	for _, p := range a.Addrs {
		calls = append(calls, link.AddAddress(name, p))
	}
	for _, g := range a.Gateways {
		// In a jail with several networks, the first one's gateway remains.
		calls = append(calls, link.AddRoute(netip.PrefixFrom(unspecified(g), 0), g))
	}
	for _, r := range a.Routes {
		calls = append(calls, link.AddRoute(r.Destination, r.Gateway))
	}
	return calls
}

// unspecified is 0.0.0.0 or ::, whichever is of an address's family.
func unspecified(a netip.Addr) netip.Addr {
	if a.Is4() {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}
