package firewall

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"
)

// uplinks returns the interfaces of the host that have an address, but loopback ones.
func uplinks() ([]Uplink, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("list the host's interfaces: %w", err)
	}
	var list []Uplink
	for _, i := range all {
		if i.Flags&net.FlagLoopback != 0 {
			continue
		}
		addrs, err := i.Addrs()
		if err != nil {
			return nil, fmt.Errorf("list the addresses of interface %q: %w", i.Name, err)
		}
		u := Uplink{Name: i.Name}
		for _, a := range addrs {
			p, err := netip.ParsePrefix(a.String())
			if err != nil {
				continue // of another family
			}
			switch addr := p.Addr().Unmap(); {
			case addr.Is4():
				u.IPv4 = append(u.IPv4, addr)
			case !addr.IsLinkLocalUnicast():
				u.IPv6 = append(u.IPv6, addr)
			}
		}
		if len(u.IPv4)+len(u.IPv6) > 0 {
			list = append(list, u)
		}
	}
	return list, nil
}

// sysctlBool reads a variable of one byte (SYSCTL_BOOL) or more; one that the kernel
// doesn't have is false.
func sysctlBool(name string) (bool, error) {
	b, err := unix.SysctlRaw(name)
	if errors.Is(err, unix.ENOENT) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("sysctl %s: %w", name, err)
	}
	return slices.ContainsFunc(b, func(c byte) bool { return c != 0 }), nil
}
