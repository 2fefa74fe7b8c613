package netsetup

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"jailshim/netsetup/firewall"
	"jailshim/netsetup/lease"
	"jailshim/netsetup/link"
	"jailshim/netsetup/port"
)

// Leftover is something that GC removed.
type Leftover struct {
	Kind    string `json:"kind"`           // "attachment", "interface", "ports", "names", "rules", "network", "address"
	Name    string `json:"name,omitempty"` // of an interface, an address or rules
	Network string `json:"network,omitempty"`
	Owner   string `json:"owner,omitempty"`
}

// String returns the leftover in a few words.
func (l Leftover) String() string {
	parts := []string{l.Kind}
	for _, p := range []struct{ word, value string }{{"", l.Name}, {"of ", l.Owner}, {"in network ", l.Network}} {
		if p.value != "" {
			parts = append(parts, p.word+p.value)
		}
	}
	return strings.Join(parts, " ")
}

// GC removes what containers that are gone have left, and networks that are half made.
// alive tells whether a container is there or being made; it is called with locks held
// and must not call the Manager. GC goes on after an error, and returns all.
func (m *Manager) GC(ctx context.Context, alive func(owner string) bool) ([]Leftover, error) {
	g := &collection{Manager: m, alive: alive}
	// Interfaces before leases: one that is seen now has had its lease before.
	list, listErr := m.system.List()
	leases, leaseErr := m.leases.List(ctx, "")
	if err := errors.Join(listErr, leaseErr); err != nil {
		return nil, err
	}
	g.attachments(ctx, leases)
	g.interfaces(ctx, list, leases)
	g.registries(ctx)
	g.records(ctx)
	g.unalias(ctx)
	return g.left, errors.Join(g.errs...)
}

// collection is a GC under way.
type collection struct {
	*Manager
	alive func(owner string) bool
	left  []Leftover
	errs  []error
}

// note records a leftover, or why it could not be removed.
func (g *collection) note(l Leftover, err error) {
	if err != nil {
		g.errs = append(g.errs, fmt.Errorf("%s: %w", l, err))
		return
	}
	g.left = append(g.left, l)
}

// attachments detaches the owners of leases that are gone.
func (g *collection) attachments(ctx context.Context, leases []lease.Lease) {
	claims, err := g.ports.List(ctx)
	if err != nil {
		g.errs = append(g.errs, err)
		return
	}
	for _, l := range leases {
		if g.alive(l.Owner) {
			continue
		}
		a, err := g.attachment(ctx, &l, claims)
		if err == nil {
			err = g.Detach(ctx, a)
		}
		g.note(Leftover{Kind: "attachment", Network: l.Network, Owner: l.Owner}, err)
	}
}

// attachment is as much of an attachment as Detach needs, from a lease.
func (g *collection) attachment(ctx context.Context, l *lease.Lease, claims []port.Claim) (*Attachment, error) {
	a := &Attachment{Owner: l.Owner, Network: l.Network, HostEnd: g.hostEnd(l.Owner, l.Network), Firewall: firewall.None}
	for _, c := range claims {
		if c.Owner == claim(l.Owner, l.Network) {
			a.Ports = c.Ports
		}
	}
	for _, addr := range l.Addrs {
		a.Addrs = append(a.Addrs, netip.PrefixFrom(addr, addr.BitLen()))
	}
	err := g.networks.Do(ctx, func() error {
		r, err := g.readRecord(l.Network)
		if err != nil || r == nil {
			return err
		}
		a.Bridge, a.Firewall, a.Isolate = r.Network.Bridge, r.Firewall, r.Network.Isolate
		for i, addr := range a.Addrs {
			for _, s := range subnets(&r.Network) {
				if s.Prefix.Contains(addr.Addr()) {
					a.Addrs[i] = netip.PrefixFrom(addr.Addr(), s.Prefix.Bits())
				}
			}
		}
		for _, s := range subnets(&r.Network) {
			a.Gateways = append(a.Gateways, s.Gateway)
		}
		return nil
	})
	return a, err
}

// interfaces destroys those with our names that belong to no lease, and those that
// never got their name.
func (g *collection) interfaces(ctx context.Context, list []link.Interface, leases []lease.Lease) {
	orphans, err := lookAgain(g.orphans(list, leases), func() ([]string, error) {
		list, listErr := g.system.List()
		leases, leaseErr := g.leases.List(ctx, "")
		if err := errors.Join(listErr, leaseErr); err != nil {
			return nil, err
		}
		return g.orphans(list, leases), nil
	})
	if err != nil {
		g.errs = append(g.errs, err)
	}
	for _, name := range orphans {
		g.note(Leftover{Kind: "interface", Name: name}, g.system.Run([]link.Call{link.Destroy(name)}))
	}
	if !slices.ContainsFunc(list, func(i link.Interface) bool { return isFresh(&i) }) {
		return
	}
	swept, err := g.sweepFresh(ctx)
	if err != nil {
		g.errs = append(g.errs, err)
	}
	for _, name := range swept {
		g.note(Leftover{Kind: "interface", Name: name}, nil)
	}
}

// orphans returns the names of interfaces that are ours by their name, and belong to no
// lease.
func (g *collection) orphans(list []link.Interface, leases []lease.Lease) []string {
	owned := make(map[string]bool)
	for _, l := range leases {
		owned[g.hostEnd(l.Owner, l.Network)] = true
	}
	var names []string
	for _, i := range list {
		digits, ours := strings.CutPrefix(i.Name, g.options.Prefix)
		if ours && len(digits) == hashDigits && strings.Trim(digits, "0123456789abcdef") == "" && !owned[i.Name] {
			names = append(names, i.Name)
		}
	}
	return names
}

// lookAgain returns those orphans that are ones at a second look too: an owner may have
// given back what it had and then its lease between two looks, and come back since.
func lookAgain[T comparable](orphans []T, look func() ([]T, error)) ([]T, error) {
	if len(orphans) == 0 {
		return nil, nil
	}
	now, err := look()
	return slices.DeleteFunc(now, func(o T) bool { return !slices.Contains(orphans, o) }), err
}

// registries drops ports and names of owners that have no lease any more.
func (g *collection) registries(ctx context.Context) {
	claims, err := g.ports.Sweep(ctx, func(key string) bool { return g.alive(claimOwner(key)) })
	if err != nil {
		g.errs = append(g.errs, err)
	}
	for _, c := range claims {
		_, network, _ := strings.Cut(c.Owner, "/")
		g.note(Leftover{Kind: "ports", Network: network, Owner: claimOwner(c.Owner)}, nil)
	}
	entries, err := g.names.Sweep(ctx, g.alive)
	if err != nil {
		g.errs = append(g.errs, err)
	}
	for _, e := range entries {
		g.note(Leftover{Kind: "names", Owner: e.Owner}, nil)
	}
}

// records removes networks that are half made, and rules of owners that are gone.
func (g *collection) records(ctx context.Context) {
	drivers := make(map[string]bool)
	err := g.networks.Do(ctx, func() error {
		made, err := g.networks.Names()
		if err != nil {
			return err
		}
		for _, name := range made {
			r, err := g.readRecord(name)
			if err == nil && r != nil && !r.Ready {
				g.note(Leftover{Kind: "network", Network: name}, g.removeNetwork(ctx, r, false))
			}
			if err != nil {
				g.errs = append(g.errs, err)
			}
			if err == nil && r != nil {
				drivers[r.Firewall] = true
			}
		}
		return nil
	})
	if err != nil {
		g.errs = append(g.errs, err)
	}
	for name := range drivers {
		if err := g.rules(ctx, name); err != nil {
			g.errs = append(g.errs, err)
		}
	}
}

// rules removes what a driver has for no lease and no network.
func (g *collection) rules(ctx context.Context, name string) error {
	driver, err := g.driver(ctx, name)
	if err != nil {
		return err
	}
	look := func() ([]firewall.Entry, error) { return g.orphanRules(ctx, driver) }
	orphans, err := look()
	if err != nil {
		return err
	}
	orphans, err = lookAgain(orphans, look)
	for _, e := range orphans {
		g.note(Leftover{Kind: "rules", Name: e.ID}, driver.Remove(ctx, e))
	}
	return err
}

// orphanRules returns what a driver has for no lease and no network.
func (g *collection) orphanRules(ctx context.Context, driver firewall.Driver) ([]firewall.Entry, error) {
	// Entries before what they belong to, which is there first.
	entries, err := driver.List(ctx)
	if err != nil || len(entries) == 0 {
		return nil, err
	}
	leases, err := g.leases.List(ctx, "")
	if err != nil {
		return nil, err
	}
	made, err := g.networks.Names()
	if err != nil {
		return nil, err
	}
	owned := make(map[string]bool)
	for _, l := range leases {
		owned[firewall.ID(l.Network, l.Owner)] = true
	}
	for _, n := range made {
		owned[firewall.ID(n, "")] = true
	}
	return slices.DeleteFunc(entries, func(e firewall.Entry) bool { return owned[e.ID] }), nil
}
