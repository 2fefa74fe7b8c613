package netsetup

import (
	"encoding/binary"
	"net/netip"
)

// le is the byte order of all machines that this package runs on.
var le = binary.LittleEndian

// loopback is the interface that every network stack has.
const loopback = "lo0"

// loopback4 and loopback6 are its addresses.
var (
	loopback4 = netip.MustParsePrefix("127.0.0.1/8")
	loopback6 = netip.MustParsePrefix("::1/128")
)

// encodeIfreq encodes a struct ifreq with nothing but the name of an interface, of
// up to 15 bytes.
func encodeIfreq(name string) []byte {
	b := make([]byte, ifreqSize)
	copy(b[offIfrName:][:ifNameSize-1], name)
	return b
}

// ifreqFlags and setIfreqFlags are the 32 flags of an interface, which a struct
// ifreq holds in two halves.
func ifreqFlags(b []byte) uint32 {
	return uint32(le.Uint16(b[offIfrFlags:])) | uint32(le.Uint16(b[offIfrFlags2:]))<<16
}

func setIfreqFlags(b []byte, flags uint32) {
	le.PutUint16(b[offIfrFlags:], uint16(flags))
	le.PutUint16(b[offIfrFlags2:], uint16(flags>>16))
}

// encodeInAlias encodes a struct in_aliasreq for an IPv4 address with its prefix
// and without a broadcast address.
func encodeInAlias(name string, p netip.Prefix) []byte {
	b := make([]byte, inAliasreqSize)
	copy(b[offInAliasName:][:ifNameSize-1], name)
	putSockaddrIn(b[offInAliasAddr:], p.Addr().AsSlice())
	putSockaddrIn(b[offInAliasMask:], mask(4, p.Bits()))
	return b
}

// encodeIn6Alias encodes a struct in6_aliasreq for an IPv6 address that stays for
// good and is used at once: without duplicate address detection it is never
// tentative.
func encodeIn6Alias(name string, p netip.Prefix) []byte {
	b := make([]byte, in6AliasreqSize)
	copy(b[offIn6AliasName:][:ifNameSize-1], name)
	putSockaddrIn6(b[offIn6AliasAddr:], p.Addr().AsSlice())
	putSockaddrIn6(b[offIn6AliasMask:], mask(16, p.Bits()))
	le.PutUint32(b[offIn6AliasFlags:], in6NoDAD)
	le.PutUint32(b[offIn6AliasVltime:], nd6NoLifetime)
	le.PutUint32(b[offIn6AliasPltime:], nd6NoLifetime)
	return b
}

func putSockaddrIn(b, addr []byte) {
	b[offSockaddrLen], b[offSockaddrFamily] = sockaddrInSize, afInet
	copy(b[offSockaddrIn:], addr)
}

func putSockaddrIn6(b, addr []byte) {
	b[offSockaddrLen], b[offSockaddrFamily] = sockaddrIn6Size, afInet6
	copy(b[offSockaddrIn6:], addr)
}

// mask returns size bytes of which the first bits are set.
func mask(size, bits int) []byte {
	m := make([]byte, size)
	for i := range bits {
		m[i/8] |= 0x80 >> (i % 8)
	}
	return m
}
