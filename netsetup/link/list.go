package link

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
)

// Interface is an interface as [List] shows it.
type Interface struct {
	Name  string
	Index int // unique on the machine, and the same in whatever network stack it is
	Type  int // TypeEthernet, TypeBridge, …
	Flags uint32
	MTU   int
	MAC   net.HardwareAddr // empty: it has none
	Addrs []netip.Prefix   // with the interface's own address, not masked
}

// Has tells whether the interface has an address, with whatever prefix length.
func (i *Interface) Has(a netip.Addr) bool {
	for _, p := range i.Addrs {
		if p.Addr().WithZone("") == a {
			return true
		}
	}
	return false
}

// decodeInterfaces decodes what sysctl net.routetable with NET_RT_IFLISTL returns: for
// each interface a struct if_msghdrl, and after it a struct ifa_msghdrl for each of its
// addresses.
func decodeInterfaces(b []byte) ([]Interface, error) {
	var list []Interface
	for len(b) > 0 {
		if len(b) < ifmPrefix {
			return nil, fmt.Errorf("message of %d bytes: %w", len(b), ErrLayout)
		}
		size, begin := int(le.Uint16(b[offIfmMsglen:])), int(le.Uint16(b[offIfmLen:]))
		if b[offIfmVersion] != rtmVersion || size < ifmPrefix || size > len(b) || begin < ifmPrefix || begin > size {
			return nil, fmt.Errorf("message of version %d, %d bytes, addresses at %d: %w", b[offIfmVersion], size, begin, ErrLayout)
		}
		m := b[:size]
		b = b[size:]
		addrs, err := decodeSockaddrs(m[begin:], le.Uint32(m[offIfmAddrs:]))
		if err != nil {
			return nil, err
		}
		switch m[offIfmType] {
		case rtmIfInfo:
			i, err := decodeInterface(m, addrs)
			if err != nil {
				return nil, err
			}
			list = append(list, i)
		case rtmNewAddr:
			if len(list) == 0 || list[len(list)-1].Index != int(le.Uint16(m[offIfmIndex:])) {
				return nil, fmt.Errorf("address of no interface: %w", ErrLayout)
			}
			if p, ok := decodePrefix(addrs[rtaIfa], addrs[rtaNetmask]); ok {
				last := &list[len(list)-1]
				last.Addrs = append(last.Addrs, p)
			}
		}
	}
	return list, nil
}

func decodeInterface(m []byte, addrs map[uint32][]byte) (Interface, error) {
	at := int(le.Uint16(m[offIfmDataOff:]))
	if at+ifiPrefix > int(le.Uint16(m[offIfmLen:])) {
		return Interface{}, fmt.Errorf("interface with its data at %d: %w", at, ErrLayout)
	}
	dl := addrs[rtaIfp]
	if len(dl) < offSdlData {
		return Interface{}, fmt.Errorf("interface without a name: %w", ErrLayout)
	}
	name, mac := int(dl[offSdlNlen]), int(dl[offSdlAlen])
	if name == 0 || name > MaxName || offSdlData+name+mac > len(dl) {
		return Interface{}, fmt.Errorf("interface with a name of %d and an address of %d bytes: %w", name, mac, ErrLayout)
	}
	data := dl[offSdlData:]
	return Interface{
		Name:  string(data[:name]),
		Index: int(le.Uint16(m[offIfmIndex:])),
		Type:  int(m[at+offIfiType]),
		Flags: le.Uint32(m[offIfmFlags:]),
		MTU:   int(le.Uint32(m[at+offIfiMTU:])),
		MAC:   bytes.Clone(data[name : name+mac]),
	}, nil
}

// decodeSockaddrs splits the addresses of a message, which which tells, by their bit.
func decodeSockaddrs(b []byte, which uint32) (map[uint32][]byte, error) {
	addrs := make(map[uint32][]byte)
	for bit := range rtaxMax {
		if which&(1<<bit) == 0 {
			continue
		}
		if len(b) == 0 || align(int(b[offSockaddrLen])) > len(b) {
			return nil, fmt.Errorf("message that ends in an address: %w", ErrLayout)
		}
		n := int(b[offSockaddrLen])
		addrs[1<<bit] = b[:n]
		b = b[align(n):]
	}
	return addrs, nil
}

// decodePrefix returns an IPv4 or IPv6 address with the length of its prefix. Other
// families are not ok.
func decodePrefix(addr, netmask []byte) (netip.Prefix, bool) {
	if len(addr) <= offSockaddrFamily {
		return netip.Prefix{}, false
	}
	at, size := offSockaddrIn, 4
	switch addr[offSockaddrFamily] {
	case afInet:
	case afInet6:
		at, size = offSockaddrIn6, 16
	default:
		return netip.Prefix{}, false
	}
	if len(addr) < at+size {
		return netip.Prefix{}, false
	}
	a, _ := netip.AddrFromSlice(addr[at : at+size])
	bits := 0
	for i := at; i < min(at+size, len(netmask)); i++ {
		for m := netmask[i]; m&0x80 != 0; m <<= 1 {
			bits++
		}
		if netmask[i] != 0xff {
			break
		}
	}
	return netip.PrefixFrom(a, bits), true
}
