package lease

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/containerd/errdefs"
)

// check returns why an address cannot be leased from the pool.
func (p Pool) check(a netip.Addr) error {
	var why string
	switch {
	case !p.Prefix.Contains(a):
		why = "it is not in " + p.Prefix.String()
	case a == p.Prefix.Masked().Addr():
		why = "it is the address of the network " + p.Prefix.String()
	case a.Is4() && p.Prefix.Bits() < 31 && a == broadcast(p.Prefix):
		why = "it is the broadcast address of " + p.Prefix.String()
	case slices.Contains(p.Reserved, a):
		why = "it is the host's own"
	default:
		return nil
	}
	return fmt.Errorf("address %s: %s: %w", a, why, errdefs.ErrInvalidArgument)
}

// next returns the first address after last, in the range and around its end, that
// is neither taken nor refused.
func (p Pool) next(last netip.Addr, taken map[netip.Addr]string) (netip.Addr, bool) {
	start := p.First
	if last.IsValid() && !last.Less(p.First) && last.Less(p.Last) {
		start = last.Next()
	}
	for a := start; ; {
		if _, ok := taken[a]; !ok && p.check(a) == nil {
			return a, true
		}
		if a == p.Last {
			a = p.First
		} else {
			a = a.Next()
		}
		if a == start {
			return netip.Addr{}, false
		}
	}
}

// valid tells whether the range is one, in the subnet.
func (p Pool) valid() bool {
	return p.Prefix.IsValid() && p.Prefix.Contains(p.First) && p.Prefix.Contains(p.Last) && !p.Last.Less(p.First)
}

// broadcast returns the last address of an IPv4 subnet.
func broadcast(p netip.Prefix) netip.Addr {
	a := p.Masked().Addr().As4()
	for i := range a {
		if bits := p.Bits() - 8*i; bits < 8 {
			a[i] |= 0xff >> max(bits, 0)
		}
	}
	return netip.AddrFrom4(a)
}
