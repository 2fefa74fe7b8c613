package link

import "net/netip"

// loopback is the interface that every network stack has.
const loopback = "lo0"

// The addresses of a loopback interface.
var (
	loopback4 = netip.MustParsePrefix("127.0.0.1/8")
	loopback6 = netip.MustParsePrefix("::1/128")
)

// Loopback brings up lo0 of a new network stack, which has it down and without
// addresses, with 127.0.0.1/8 and ::1/128. It may be repeated. A kernel, or a jail,
// without IPv4 or without IPv6 is no error.
func Loopback() []Call {
	// Other than those of an epair, these flags can be lost.
	up := SetFlags(loopback, FlagUp|flagLoopback|flagMulticast)
	up.What = "bring up " + loopback
	up6 := up
	up6.Family, up6.Data = afInet6, append([]byte(nil), up.Data...)
	calls := []Call{
		AddAddress(loopback, loopback4),
		up,
		// Up first: the kernel gives lo0 its IPv6 addresses then, and the other call
		// sets again what is there.
		up6,
		AddAddress(loopback, loopback6),
	}
	for i := range calls {
		calls[i] = calls[i].Allowing(errProtoNoSupp, errAfNoSupport)
	}
	return calls
}
