package link

import (
	"fmt"
	"net/netip"
)

// AddAddress adds an address to an interface. An IPv6 one stays for good, and is used
// at once: without duplicate address detection it is never tentative. An IPv4 address
// that the interface has is taken away and set anew, with all its routes.
func AddAddress(name string, p netip.Prefix) Call {
	what := fmt.Sprintf("set address %s on %s", p, name)
	if p.Addr().Is4() {
		c := named(afInet, siocAIFAddr, inAliasreqSize, name, what)
		putSockaddr(c.Data[offInAliasAddr:], p.Addr())
		putSockaddr(c.Data[offInAliasMask:], mask(p))
		return c
	}
	c := named(afInet6, siocAIFAddrIn6, in6AliasreqSize, name, what)
	putSockaddr(c.Data[offIn6AliasAddr:], p.Addr())
	putSockaddr(c.Data[offIn6AliasMask:], mask(p))
	le.PutUint32(c.Data[offIn6AliasFlags:], in6NoDAD)
	le.PutUint32(c.Data[offIn6AliasVltime:], nd6NoLifetime)
	le.PutUint32(c.Data[offIn6AliasPltime:], nd6NoLifetime)
	return c
}

// DeleteAddress removes an address from an interface. One that is not there, or an
// interface that is not, is no error.
func DeleteAddress(name string, a netip.Addr) Call {
	what := fmt.Sprintf("remove address %s from %s", a, name)
	var c Call
	if a.Is4() {
		c = ifreqCall(siocDIFAddr, name, what)
		putSockaddr(c.Data[offIfrAddr:], a)
	} else {
		c = named(afInet6, siocDIFAddrIn6, in6IfreqSize, name, what)
		putSockaddr(c.Data[offIn6IfrAddr:], a)
	}
	return c.Allowing(errAddrNotAvail, errNXIO)
}

// GetND6 asks how an interface does IPv6. Its answer is for [EnableIPv6].
func GetND6(name string) Call {
	return named(afInet6, siocGIFInfoIn6, in6NdireqSize, name, "get IPv6 flags of "+name)
}

// EnableIPv6 enables IPv6 on an interface with flags as the answer to [GetND6] shows
// them, with a link-local address.
func EnableIPv6(name string, nd6 Call) []Call {
	return enableIPv6(name, le.Uint32(nd6.Data[offNdiFlags:]))
}

// FreshIPv6 enables IPv6 on a fresh interface: with a link-local address, and deaf to
// router advertisements. It comes before [Up], which makes the address.
func FreshIPv6(name string) []Call { return enableIPv6(name, nd6PerformNUD) }

// enableIPv6 turns duplicate address detection off first: the second call makes the
// link-local address, and would look for its duplicates, before it heeds its own flags
// (nd6_ioctl, sys/netinet6/nd6.c).
func enableIPv6(name string, flags uint32) []Call {
	flags |= nd6NoDAD
	return []Call{setND6(name, flags|nd6Disabled), setND6(name, flags&^nd6Disabled|nd6AutoLinkLocal)}
}

func setND6(name string, flags uint32) Call {
	// What is 0 besides stays as it is (nd6_ioctl).
	c := named(afInet6, siocSIFInfoIn6, in6NdireqSize, name, "enable IPv6 on "+name)
	le.PutUint32(c.Data[offNdiFlags:], flags)
	return c
}

// putSockaddr encodes a struct sockaddr_in or sockaddr_in6 and returns its size.
func putSockaddr(b []byte, a netip.Addr) int {
	if a.Is4() {
		b[offSockaddrLen], b[offSockaddrFamily] = sockaddrInSize, afInet
		copy(b[offSockaddrIn:], a.AsSlice())
		return sockaddrInSize
	}
	b[offSockaddrLen], b[offSockaddrFamily] = sockaddrIn6Size, afInet6
	copy(b[offSockaddrIn6:], a.AsSlice())
	return sockaddrIn6Size
}

// mask returns the netmask of a prefix as an address.
func mask(p netip.Prefix) netip.Addr {
	m := make([]byte, p.Addr().BitLen()/8)
	for i := range p.Bits() {
		m[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(m)
	return a
}
