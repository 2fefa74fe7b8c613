package lease

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/containerd/errdefs"

	"jailshim/netsetup/locked"
)

// Pool is a range of addresses of one family.
type Pool struct {
	Prefix      netip.Prefix
	First, Last netip.Addr   // what is given out when none is asked for
	Reserved    []netip.Addr // never given out: the gateway
}

// Request asks for one address of each pool.
type Request struct {
	Network string
	Owner   string
	Pools   []Pool       // one for each family of the network
	Static  []netip.Addr // addresses asked for; at most one of each pool
}

// Lease is the addresses of one owner in one network.
type Lease struct {
	Network string       `json:"-"`
	Owner   string       `json:"-"`
	Addrs   []netip.Addr `json:"addrs"` // one for each pool, in the pools' order
	Since   time.Time    `json:"since"`
}

// Store is a folder of leases, one file for each network.
type Store struct{ folder *locked.Folder }

// table is the contents of a network's file.
type table struct {
	Last   []netip.Addr     `json:"last"`   // given out last without being asked for, one for each pool
	Leases map[string]Lease `json:"leases"` // by owner
}

// Open opens the store in the folder dir, which it makes.
func Open(dir string) (*Store, error) {
	folder, err := locked.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("address leases: %w", err)
	}
	return &Store{folder: folder}, nil
}

// Acquire leases an address of each pool to an owner. An owner that has a lease which
// fits the request gets that one again; if it doesn't fit, it is replaced.
//
// Errors: ResourceExhausted, a pool has no free address; AlreadyExists, another owner
// has an address asked for; InvalidArgument, an address asked for is not in a pool, or
// is the network's, its broadcast or a reserved address. Nothing is leased then.
func (s *Store) Acquire(ctx context.Context, r Request) (Lease, error) {
	var got Lease
	err := s.change(ctx, r.Network, func(t *table) (bool, error) {
		wanted, err := r.wanted()
		if err != nil {
			return false, err
		}
		if old, ok := t.Leases[r.Owner]; ok && r.fits(old, wanted) {
			got = old
			return false, nil
		}
		delete(t.Leases, r.Owner)
		got, err = t.give(r, wanted)
		return err == nil, err
	})
	if err != nil {
		return Lease{}, fmt.Errorf("address for %q in network %q: %w", r.Owner, r.Network, err)
	}
	got.Network, got.Owner = r.Network, r.Owner
	return got, nil
}

// wanted returns for each pool the address asked for, or the zero address.
func (r Request) wanted() ([]netip.Addr, error) {
	if len(r.Pools) == 0 || r.Network == "" || r.Owner == "" {
		return nil, fmt.Errorf("a request needs a network, an owner and a pool: %w", errdefs.ErrInvalidArgument)
	}
	wanted := make([]netip.Addr, len(r.Pools))
	for _, a := range r.Static {
		i := slices.IndexFunc(r.Pools, func(p Pool) bool { return p.Prefix.Contains(a) })
		if i < 0 {
			return nil, fmt.Errorf("address %s is in no subnet of the network: %w", a, errdefs.ErrInvalidArgument)
		}
		if wanted[i].IsValid() {
			return nil, fmt.Errorf("addresses %s and %s are both in %s: %w", wanted[i], a, r.Pools[i].Prefix, errdefs.ErrInvalidArgument)
		}
		if err := r.Pools[i].check(a); err != nil {
			return nil, err
		}
		wanted[i] = a
	}
	for _, p := range r.Pools {
		if !p.valid() {
			return nil, fmt.Errorf("%s to %s is no range of %s: %w", p.First, p.Last, p.Prefix, errdefs.ErrInvalidArgument)
		}
	}
	return wanted, nil
}

// fits tells whether a lease is what the request would get.
func (r Request) fits(l Lease, wanted []netip.Addr) bool {
	if len(l.Addrs) != len(r.Pools) {
		return false
	}
	for i, a := range l.Addrs {
		if wanted[i].IsValid() && a != wanted[i] || r.Pools[i].check(a) != nil {
			return false
		}
	}
	return true
}

// taken returns whose the addresses are that are leased.
func (t *table) taken() map[netip.Addr]string {
	taken := map[netip.Addr]string{}
	for owner, l := range t.Leases {
		for _, a := range l.Addrs {
			taken[a] = owner
		}
	}
	return taken
}

// give chooses the addresses of a new lease and records it.
func (t *table) give(r Request, wanted []netip.Addr) (Lease, error) {
	taken := t.taken()
	if len(t.Last) != len(r.Pools) {
		t.Last = make([]netip.Addr, len(r.Pools))
	}
	l := Lease{Addrs: slices.Clone(wanted), Since: time.Now().UTC().Truncate(time.Second)}
	for i, a := range wanted {
		if a.IsValid() {
			if owner, ok := taken[a]; ok {
				return Lease{}, fmt.Errorf("%s is the address of %q: %w", a, owner, errdefs.ErrAlreadyExists)
			}
			continue
		}
		p := r.Pools[i]
		a, ok := p.next(t.Last[i], taken)
		if !ok {
			return Lease{}, fmt.Errorf("no address is free from %s to %s: remove containers, or widen the range in the configuration: %w",
				p.First, p.Last, errdefs.ErrResourceExhausted)
		}
		l.Addrs[i], t.Last[i] = a, a
	}
	t.Leases[r.Owner] = l
	return l, nil
}

// Restore gives an owner the lease back that it had, in place of one that Acquire has
// given it since. AlreadyExists: another owner has one of its addresses by now; then
// nothing changes.
func (s *Store) Restore(ctx context.Context, l Lease) error {
	err := s.change(ctx, l.Network, func(t *table) (bool, error) {
		if slices.Equal(t.Leases[l.Owner].Addrs, l.Addrs) {
			return false, nil
		}
		delete(t.Leases, l.Owner)
		taken := t.taken()
		for _, a := range l.Addrs {
			if owner, ok := taken[a]; ok {
				return false, fmt.Errorf("%s is the address of %q: %w", a, owner, errdefs.ErrAlreadyExists)
			}
		}
		t.Leases[l.Owner] = l
		return true, nil
	})
	if err != nil {
		return fmt.Errorf("give %q its address in network %q back: %w", l.Owner, l.Network, err)
	}
	return nil
}

// Release ends a lease. One that is not there is no error.
func (s *Store) Release(ctx context.Context, network, owner string) error {
	err := s.change(ctx, network, func(t *table) (bool, error) {
		_, ok := t.Leases[owner]
		delete(t.Leases, owner)
		return ok, nil
	})
	if err != nil {
		return fmt.Errorf("release the address of %q in network %q: %w", owner, network, err)
	}
	return nil
}

// List returns the leases of a network, or of all with "", by network and owner.
func (s *Store) List(ctx context.Context, network string) ([]Lease, error) {
	var all []Lease
	err := s.folder.Do(ctx, func() error {
		names, err := s.networks(network)
		if err != nil {
			return err
		}
		for _, name := range names {
			t, err := s.read(name)
			if err != nil {
				return err
			}
			all = append(all, t.list(name)...)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list address leases: %w", err)
	}
	return all, nil
}

func (s *Store) networks(network string) ([]string, error) {
	if network != "" {
		return []string{network}, nil
	}
	return s.folder.Names()
}

// list returns the leases of a network by owner.
func (t *table) list(network string) []Lease {
	var list []Lease
	for owner, l := range t.Leases {
		l.Network, l.Owner = network, owner
		list = append(list, l)
	}
	slices.SortFunc(list, func(a, b Lease) int { return cmp.Compare(a.Owner, b.Owner) })
	return list
}

// Sweep ends the leases of owners that are not alive, in all networks, and returns
// them. alive is called with the store locked.
func (s *Store) Sweep(ctx context.Context, alive func(owner string) bool) ([]Lease, error) {
	var swept []Lease
	err := s.folder.Do(ctx, func() error {
		names, err := s.folder.Names()
		if err != nil {
			return err
		}
		for _, name := range names {
			t, err := s.read(name)
			if err != nil {
				return err
			}
			var dead []Lease
			for _, l := range t.list(name) {
				if !alive(l.Owner) {
					dead = append(dead, l)
				}
			}
			if len(dead) == 0 {
				continue
			}
			maps.DeleteFunc(t.Leases, func(owner string, _ Lease) bool {
				return slices.ContainsFunc(dead, func(l Lease) bool { return l.Owner == owner })
			})
			if err := s.folder.Write(name, t); err != nil {
				return err
			}
			swept = append(swept, dead...)
		}
		return nil
	})
	if err != nil {
		return swept, fmt.Errorf("sweep address leases: %w", err)
	}
	return swept, nil
}

// Forget removes the file of a network. A network with leases is FailedPrecondition.
func (s *Store) Forget(ctx context.Context, network string) error {
	err := s.folder.Do(ctx, func() error {
		t, err := s.read(network)
		if err != nil {
			return err
		}
		if n := len(t.Leases); n > 0 {
			return fmt.Errorf("%d containers have addresses of it, %q for one: %w", n, t.list(network)[0].Owner, errdefs.ErrFailedPrecondition)
		}
		return s.folder.Remove(network)
	})
	if err != nil {
		return fmt.Errorf("forget network %q: %w", network, err)
	}
	return nil
}

// change calls edit with the table of a network, and writes what edit changed.
func (s *Store) change(ctx context.Context, network string, edit func(*table) (changed bool, err error)) error {
	return s.folder.Do(ctx, func() error {
		t, err := s.read(network)
		if err != nil {
			return err
		}
		changed, err := edit(t)
		if err != nil || !changed {
			return err
		}
		return s.folder.Write(network, t)
	})
}

func (s *Store) read(network string) (*table, error) {
	t := &table{}
	if err := s.folder.Read(network, t); err != nil {
		return nil, err
	}
	if t.Leases == nil {
		t.Leases = map[string]Lease{}
	}
	return t, nil
}
