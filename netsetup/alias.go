package netsetup

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"github.com/containerd/errdefs"

	"jailshim/netsetup/link"
)

// alias is an address on an interface of the host, and who needs it there. It is
// written before the address is set.
type alias struct {
	Interface string     `json:"interface"`
	Addr      netip.Addr `json:"addr"`
	Ours      bool       `json:"ours"` // it was not there before us
	Owners    []string   `json:"owners"`
}

// Alias sees to it that addresses, which a container without a network stack of its own
// may use, are on an interface of the host, for as long as the container needs them. An
// address that is there already stays when it goes. It may be repeated. On an error the
// container has those that it had before. NotFound: there is no such interface.
// FailedPrecondition: another one has an address.
func (m *Manager) Alias(ctx context.Context, owner, name string, addrs []netip.Addr) error {
	var u undo
	err := m.aliases.Do(ctx, func() error {
		list, err := m.system.List()
		if err != nil {
			return err
		}
		if find(list, name) == nil {
			return fmt.Errorf("the host has no interface %q: %w", name, errdefs.ErrNotFound)
		}
		for _, addr := range addrs {
			if err := m.alias(owner, name, addr, list, &u); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return u.run(ctx, fmt.Errorf("addresses of %q: %w", owner, err))
	}
	return nil
}

// alias is Alias for one address. The caller holds the lock of the aliases, and has let
// go of it before it undoes.
func (m *Manager) alias(owner, name string, addr netip.Addr, list []link.Interface, u *undo) error {
	there := false
	for _, i := range list {
		if i.Has(addr) && i.Name != name {
			return fmt.Errorf("%s is an address of %s, not of %s: %w", addr, i.Name, name, errdefs.ErrFailedPrecondition)
		}
		there = there || i.Has(addr)
	}
	key := aliasKey(name, addr)
	a := alias{Interface: name, Addr: addr, Ours: !there}
	if err := m.aliases.Read(key, &a); err != nil {
		return err
	}
	if !slices.Contains(a.Owners, owner) {
		a.Owners = append(a.Owners, owner)
		u.add(func(ctx context.Context) error { return m.dropOwner(ctx, owner, key) })
		if err := m.aliases.Write(key, &a); err != nil {
			return err
		}
	}
	if there {
		return nil
	}
	return m.system.Run([]link.Call{link.AddAddress(name, netip.PrefixFrom(addr, addr.BitLen()))})
}

// aliasKey names the file of an alias.
func aliasKey(name string, addr netip.Addr) string { return name + "_" + addr.String() }

// Unalias ends a container's need for addresses on the host's interfaces. Those that
// Alias put there are removed with the last one who needed them. It may be repeated.
func (m *Manager) Unalias(ctx context.Context, owner string) error {
	err := m.dropAliases(ctx, func(o string) bool { return o == owner }, func(alias) {})
	if err != nil {
		return fmt.Errorf("addresses of %q: %w", owner, err)
	}
	return nil
}

// dropOwner is Unalias for the address of a key.
func (m *Manager) dropOwner(ctx context.Context, owner, key string) error {
	return m.aliases.Do(ctx, func() error {
		var a alias
		if err := m.aliases.Read(key, &a); err != nil {
			return err
		}
		return m.dropAlias(key, a, func(o string) bool { return o == owner })
	})
}

// dropAliases drops the owners that gone tells, and what nobody needs then.
func (m *Manager) dropAliases(ctx context.Context, gone func(owner string) bool, dropped func(alias)) error {
	return m.aliases.Do(ctx, func() error {
		keys, err := m.aliases.Names()
		if err != nil {
			return err
		}
		for _, key := range keys {
			var a alias
			if err := m.aliases.Read(key, &a); err != nil {
				return err
			}
			if len(a.Owners) > 0 && !slices.ContainsFunc(a.Owners, gone) {
				continue
			}
			if err := m.dropAlias(key, a, gone); err != nil {
				return err
			}
			dropped(a)
		}
		return nil
	})
}

func (m *Manager) dropAlias(key string, a alias, gone func(owner string) bool) error {
	a.Owners = slices.DeleteFunc(slices.Clone(a.Owners), gone)
	if len(a.Owners) > 0 {
		return m.aliases.Write(key, &a)
	}
	if a.Ours && a.Addr.IsValid() {
		if err := m.system.Run([]link.Call{link.DeleteAddress(a.Interface, a.Addr)}); err != nil {
			return err
		}
	}
	return m.aliases.Remove(key)
}

// unalias drops the aliases of owners that are gone.
func (g *collection) unalias(ctx context.Context) {
	err := g.dropAliases(ctx, func(owner string) bool { return !g.alive(owner) }, func(a alias) {
		g.note(Leftover{Kind: "address", Name: fmt.Sprintf("%s on %s", a.Addr, a.Interface)}, nil)
	})
	if err != nil {
		g.errs = append(g.errs, err)
	}
}
