package netsetup

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"jailshim/netsetup/config"
	"jailshim/netsetup/lease"
	"jailshim/netsetup/link"
	"jailshim/netsetup/names"
)

// Network is a network as it is now.
type Network struct {
	config.Network
	Configured bool     `json:"configured"` // in the configuration; one that no longer is can still be there
	Exists     bool     `json:"exists"`     // its bridge is there
	Made       bool     `json:"made"`       // by us, and goes with it
	Firewall   string   `json:"firewall,omitempty"`
	Warnings   []string `json:"warnings,omitempty"`
	Members    []Member `json:"members,omitempty"`
}

// Member is a container on a network.
type Member struct {
	Owner    string       `json:"owner"`
	Names    []string     `json:"names,omitempty"`
	Addrs    []netip.Addr `json:"addrs"`
	HostEnd  string       `json:"host_end"`
	Attached bool         `json:"attached"` // its epair is there
}

// Networks returns all networks, of the configuration and those left from another one,
// by their names.
func (m *Manager) Networks(ctx context.Context) (all []Network, err error) {
	err = m.networks.Do(ctx, func() error {
		known := slices.Collect(maps.Keys(m.config.Networks))
		made, err := m.networks.Names()
		if err != nil {
			return err
		}
		known = append(known, made...)
		slices.Sort(known)
		list, err := m.system.List()
		if err != nil {
			return err
		}
		for _, name := range slices.Compact(known) {
			n, err := m.inspect(ctx, name, list)
			if err != nil {
				return err
			}
			all = append(all, *n)
		}
		return nil
	})
	return all, err
}

// Inspect returns one network. NotFound: there is none of the name.
func (m *Manager) Inspect(ctx context.Context, name string) (n *Network, err error) {
	err = m.networks.Do(ctx, func() error {
		list, err := m.system.List()
		if err == nil {
			n, err = m.inspect(ctx, name, list)
		}
		return err
	})
	return n, err
}

// inspect describes a network. The caller holds the lock of the records.
func (m *Manager) inspect(ctx context.Context, name string, list []link.Interface) (*Network, error) {
	rec, err := m.readRecord(name)
	if err != nil {
		return nil, err
	}
	configured, err := m.config.Network(name)
	if err != nil && rec == nil {
		return nil, err
	}
	n := &Network{Configured: err == nil}
	if rec != nil {
		n.Network, n.Made, n.Firewall, n.Warnings = rec.Network, rec.Made, rec.Firewall, rec.Warnings
	} else {
		n.Network = *configured
	}
	n.Exists = find(list, n.Bridge) != nil
	leases, err := m.leases.List(ctx, name)
	if err != nil {
		return nil, err
	}
	entries, err := m.names.List(ctx, name)
	if err != nil {
		return nil, err
	}
	for _, l := range leases {
		n.Members = append(n.Members, m.member(&l, entries, list))
	}
	return n, nil
}

func (m *Manager) member(l *lease.Lease, entries []names.Entry, list []link.Interface) Member {
	end := m.hostEnd(l.Owner, l.Network)
	member := Member{Owner: l.Owner, Addrs: l.Addrs, HostEnd: end, Attached: find(list, end) != nil}
	for _, e := range entries {
		if e.Owner == l.Owner {
			member.Names = e.Names
		}
	}
	return member
}

// Remove removes what was made of a network; it is made again when a container asks for
// it. FailedPrecondition: containers use it. NotFound: there is no network of the name.
func (m *Manager) Remove(ctx context.Context, name string) error {
	err := m.networks.Do(ctx, func() error {
		if _, err := m.config.Network(name); err != nil {
			if rec, readErr := m.readRecord(name); readErr != nil || rec == nil {
				return errors.Join(err, readErr)
			}
		}
		return m.remove(ctx, name)
	})
	if err != nil {
		return fmt.Errorf("remove network %q: %w", name, err)
	}
	return nil
}

// Prune removes all networks that no container uses, and returns their names.
func (m *Manager) Prune(ctx context.Context) (pruned []string, err error) {
	err = m.networks.Do(ctx, func() error {
		made, err := m.networks.Names()
		if err != nil {
			return err
		}
		for _, name := range made {
			leases, err := m.leases.List(ctx, name)
			if err != nil {
				return err
			}
			if len(leases) > 0 {
				continue
			}
			if err := m.remove(ctx, name); err != nil {
				return err
			}
			pruned = append(pruned, name)
		}
		return nil
	})
	return pruned, err
}

// remove removes an unused network. The caller holds the lock of the records.
func (m *Manager) remove(ctx context.Context, name string) error {
	if err := m.unused(ctx, name, "end them first"); err != nil {
		return err
	}
	rec, err := m.readRecord(name)
	if err != nil {
		return err
	}
	if rec != nil {
		if err := m.removeNetwork(ctx, rec, false); err != nil {
			return err
		}
	}
	return errors.Join(m.names.Forget(ctx, name), m.leases.Forget(ctx, name))
}

// removeNetwork undoes what a record tells of, also of a network that is half made;
// with keep, all but the bridge. The caller holds the lock of the records.
func (m *Manager) removeNetwork(ctx context.Context, r *record, keep bool) error {
	if err := m.removeRules(ctx, r); err != nil {
		return err
	}
	if !keep {
		if err := m.removeBridge(ctx, r); err != nil {
			return err
		}
	}
	return m.networks.Remove(r.Network.Name)
}

// removeRules removes the firewall's rules of a network.
func (m *Manager) removeRules(ctx context.Context, r *record) error {
	driver, err := m.driver(ctx, r.Firewall)
	if err != nil {
		return err
	}
	return driver.RemoveNetwork(ctx, r.firewalled())
}

// removeBridge destroys a bridge of ours, or takes our addresses from another's.
func (m *Manager) removeBridge(ctx context.Context, r *record) error {
	if r.Made {
		return m.destroy(ctx, r.Network.Bridge)
	}
	var calls []link.Call
	for _, p := range r.Addrs {
		calls = append(calls, link.DeleteAddress(r.Network.Bridge, p.Addr()))
	}
	return m.system.Run(calls)
}
