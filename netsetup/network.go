package netsetup

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/containerd/errdefs"

	"jailshim/netsetup/config"
	"jailshim/netsetup/firewall"
	"jailshim/netsetup/link"
)

// group is that of our bridges, for rules of the machine's administrator.
const group = "jailshim"

// record is what was made of a network, as opposed to what was there. It is written
// before anything is made.
type record struct {
	Network  config.Network `json:"network"` // as it was then
	Made     bool           `json:"made"`    // the bridge is ours
	Addrs    []netip.Prefix `json:"addrs"`   // ours, of the bridge
	Firewall string         `json:"firewall"`
	Warnings []string       `json:"warnings,omitempty"`
	Ready    bool           `json:"ready"` // all of it has been there: containers may be on the bridge
}

// shape is what of a network can't change while containers use it.
func shape(n *config.Network) string {
	return fmt.Sprint(n.Bridge, n.IPv4.Prefix, n.IPv4.Gateway, n.IPv6.Prefix, n.IPv6.Gateway, n.MTU, n.NAT, n.Isolate)
}

// subnets are those that a network has.
func subnets(n *config.Network) []config.Subnet {
	var list []config.Subnet
	for _, s := range []config.Subnet{n.IPv4, n.IPv6} {
		if !s.IsZero() {
			list = append(list, s)
		}
	}
	return list
}

func (r *record) firewalled() firewall.Network {
	n := &r.Network
	return firewall.Network{
		Name: n.Name, Bridge: n.Bridge, Isolate: n.Isolate,
		IPv4: n.IPv4.Prefix, IPv6: n.IPv6.Prefix, Gateway4: n.IPv4.Gateway, Gateway6: n.IPv6.Gateway,
	}
}

// readRecord returns the record of a network; nil if there is none. The caller holds
// the lock of the records.
func (m *Manager) readRecord(name string) (*record, error) {
	r := &record{}
	if err := m.networks.Read(name, r); err != nil || r.Network.Name == "" {
		return nil, err
	}
	return r, nil
}

// ensure makes a network, or takes over the bridge that is there. The caller holds the
// lock of the records.
func (m *Manager) ensure(ctx context.Context, n *config.Network) (*record, error) {
	r, err := m.readRecord(n.Name)
	if err != nil {
		return nil, err
	}
	list, err := m.system.List()
	if err != nil {
		return nil, err
	}
	bridge := find(list, n.Bridge)
	if r != nil {
		same := shape(&r.Network) == shape(n)
		if same && r.Ready && isUp(bridge, n) {
			return r, m.refresh(ctx, r)
		}
		if !same {
			if err := m.unused(ctx, n.Name, "its configuration has changed; end them first"); err != nil {
				return nil, err
			}
		}
		// Who made it was killed, or somebody removed a part of it. Containers that
		// are on it stay on the bridge if there is one.
		if bridge == nil || !same || !r.Ready {
			if err := m.removeNetwork(ctx, r, false); err != nil {
				return nil, err
			}
			if list, err = m.system.List(); err != nil {
				return nil, err
			}
			r = nil
		}
	}
	return m.make(ctx, n, list, r)
}

// Check tells whether a container could be put on a network now, as far as that can be
// found out without making anything. Errors are those of [Manager.Reserve]; warnings
// are what would work less well than it could.
func (m *Manager) Check(ctx context.Context, name string) (warnings []string, err error) {
	n, err := m.config.Network(name)
	if err != nil {
		return nil, err
	}
	list, err := m.system.List()
	if err != nil {
		return nil, err
	}
	if err := overlap(n, list); err != nil {
		return nil, err
	}
	if bridge := find(list, n.Bridge); bridge != nil && bridge.Type != link.TypeBridge {
		return nil, m.noBridge(n)
	}
	driver, err := m.driver(ctx, string(n.NAT))
	if err != nil {
		return nil, fmt.Errorf("network %q: %w", n.Name, err)
	}
	if warnings, err = driver.Check(ctx); err != nil {
		return nil, fmt.Errorf("network %q: %w", n.Name, err)
	}
	return warnings, nil
}

func (m *Manager) noBridge(n *config.Network) error {
	return fmt.Errorf("network %q: %q is an interface, but no bridge: set another name as bridge in %s: %w",
		n.Name, n.Bridge, m.options.Config, errdefs.ErrFailedPrecondition)
}

// refresh loads the rules of a network again if somebody removed them.
func (m *Manager) refresh(ctx context.Context, r *record) error {
	driver, err := m.driver(ctx, r.Firewall)
	if err != nil {
		return err
	}
	r.Warnings, err = driver.AddNetwork(ctx, r.firewalled())
	return err
}

// isUp tells whether a bridge has all that a network needs.
func isUp(bridge *link.Interface, n *config.Network) bool {
	if bridge == nil || bridge.Flags&link.FlagUp == 0 {
		return false
	}
	for _, s := range subnets(n) {
		if !bridge.Has(s.Gateway) {
			return false
		}
	}
	return true
}

// unused returns FailedPrecondition if containers have addresses of a network.
func (m *Manager) unused(ctx context.Context, name, why string) error {
	leases, err := m.leases.List(ctx, name)
	if err != nil || len(leases) == 0 {
		return err
	}
	var owners []string
	for _, l := range leases[:min(len(leases), 3)] {
		owners = append(owners, fmt.Sprintf("%q", l.Owner))
	}
	if len(leases) > len(owners) {
		owners = append(owners, "…")
	}
	return fmt.Errorf("network %q is used by %d containers (%s): %s: %w", name, len(leases), strings.Join(owners, ", "), why, errdefs.ErrFailedPrecondition)
}

// make makes a network, or what is missing of one that was there, as old says. On an
// error nothing new is left, and a bridge that was there stays: others are on it.
func (m *Manager) make(ctx context.Context, n *config.Network, list []link.Interface, old *record) (_ *record, err error) {
	bridge := find(list, n.Bridge)
	if err := overlap(n, list); err != nil {
		return nil, err
	}
	r, err := m.newRecord(n, bridge, old)
	if err != nil {
		return nil, err
	}
	driver, err := m.driver(ctx, string(n.NAT))
	if err != nil {
		return nil, fmt.Errorf("network %q: %w", n.Name, err)
	}
	r.Firewall = driver.Name()
	if old != nil && old.Firewall != r.Firewall {
		if err := m.removeRules(ctx, old); err != nil {
			return nil, err
		}
	}
	if err := m.networks.Write(n.Name, r); err != nil {
		return nil, err
	}
	keep := r.Ready
	defer func() {
		if err != nil {
			err = undo{func(ctx context.Context) error { return m.unmake(ctx, r, old, keep) }}.run(ctx, fmt.Errorf("make network %q: %w", n.Name, err))
		}
	}()
	if err := m.reached(pointNetworkRecorded); err != nil {
		return nil, err
	}
	if err := m.loadModules(); err != nil {
		return nil, err
	}
	if bridge == nil {
		if err := m.makeBridge(ctx, n); err != nil {
			return nil, err
		}
	}
	if err := m.bringUp(r); err != nil {
		return nil, err
	}
	if r.Warnings, err = driver.AddNetwork(ctx, r.firewalled()); err != nil {
		return nil, err
	}
	if err := m.reached(pointNetworkFirewall); err != nil {
		return nil, err
	}
	r.Ready = true
	return r, m.networks.Write(n.Name, r)
}

// newRecord is the record of a network that is to be made on a bridge, nil if there is
// none yet.
func (m *Manager) newRecord(n *config.Network, bridge *link.Interface, old *record) (*record, error) {
	r := &record{Network: *n, Made: bridge == nil, Ready: old != nil}
	if bridge != nil && bridge.Type != link.TypeBridge {
		return nil, m.noBridge(n)
	}
	if bridge != nil {
		// Ours, if its record was lost.
		ask := []link.Call{link.GetDescription(n.Bridge)}
		if err := m.system.Run(ask); err != nil {
			return nil, err
		}
		r.Made = ask[0].Description() == description(n.Name)
		r.Ready = r.Ready || r.Made
	}
	for _, s := range subnets(n) {
		p := netip.PrefixFrom(s.Gateway, s.Prefix.Bits())
		if r.Made || !bridge.Has(s.Gateway) || old != nil && slices.Contains(old.Addrs, p) {
			r.Addrs = append(r.Addrs, p)
		}
	}
	return r, nil
}

// unmake undoes a make that failed. What was recorded before is again, with its rules
// and addresses; with keep, the bridge stays that was there without a record.
func (m *Manager) unmake(ctx context.Context, r, old *record, keep bool) error {
	if old == nil {
		return m.removeNetwork(ctx, r, keep)
	}
	var err error
	if r.Firewall != old.Firewall {
		err = m.removeRules(ctx, r)
	}
	return errors.Join(err, m.networks.Write(old.Network.Name, old))
}

// overlap returns FailedPrecondition if another interface has addresses of a network.
func overlap(n *config.Network, list []link.Interface) error {
	for _, s := range subnets(n) {
		for _, i := range list {
			for _, p := range i.Addrs {
				if i.Name != n.Bridge && p.Overlaps(s.Prefix) {
					return fmt.Errorf("network %q: its subnet %s overlaps with %s of the interface %s: choose another subnet in the configuration: %w",
						n.Name, s.Prefix, p, i.Name, errdefs.ErrFailedPrecondition)
				}
			}
		}
	}
	return nil
}

// description is what ifconfig shows for a bridge.
func description(network string) string { return "jailshim network " + network }

func (m *Manager) loadModules() error {
	for _, module := range []string{"if_bridge", "if_epair"} {
		if err := m.system.LoadModule(module); err != nil {
			return fmt.Errorf("load the module %s, which every network needs (see kldload(8)): %w", module, err)
		}
	}
	return nil
}

// makeBridge makes an empty bridge with its name.
func (m *Manager) makeBridge(ctx context.Context, n *config.Network) error {
	_, err := m.createFresh(ctx, "bridge", "", n.Bridge, digest(n.Name), pointBridgeCreated)
	if err != nil {
		return err
	}
	if err := m.reached(pointBridgeNamed); err != nil {
		return err
	}
	return m.system.Run([]link.Call{
		link.SetDescription(n.Bridge, description(n.Name)),
		link.AddGroup(n.Bridge, group),
		link.SetMTU(n.Bridge, n.MTU),
	})
}

// bringUp gives a bridge its addresses, and has the machine forward.
func (m *Manager) bringUp(r *record) error {
	name := r.Network.Bridge
	ask := []link.Call{link.GetFlags(name)}
	if !r.Network.IPv6.IsZero() {
		ask = append(ask, link.GetND6(name))
	}
	if err := m.system.Run(ask); err != nil {
		return err
	}
	var calls []link.Call
	if len(ask) > 1 {
		calls = append(calls, link.EnableIPv6(name, ask[1])...)
	}
	calls = append(calls, link.SetFlags(name, ask[0].Flags()|link.FlagUp))
	for _, p := range r.Addrs {
		calls = append(calls, link.AddAddress(name, p))
	}
	if err := m.system.Run(calls); err != nil {
		return err
	}
	if err := m.forward(r); err != nil {
		return err
	}
	return m.reached(pointBridgeUp)
}

// forward has the machine forward between its interfaces. It stays so: others may rely
// on it by now.
func (m *Manager) forward(r *record) error {
	for name, subnet := range map[string]config.Subnet{
		"net.inet.ip.forwarding":   r.Network.IPv4,
		"net.inet6.ip6.forwarding": r.Network.IPv6,
	} {
		if subnet.IsZero() {
			continue
		}
		value, err := m.system.Sysctl(name)
		if err == nil && value == 0 {
			err = m.system.SetSysctl(name, 1)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
