package link

import (
	"fmt"
	"net/netip"
)

// AddRoute adds a route to dst, which is masked, by a gateway. 0.0.0.0/0 and ::/0 are
// the default routes. A route that is there already stays as it is, and is no error.
// ENETUNREACH: the gateway is in no subnet of the interfaces.
func AddRoute(dst netip.Prefix, gateway netip.Addr) Call {
	return routeCall(rtmAdd, dst, gateway, fmt.Sprintf("add route to %s by %s", dst, gateway)).Allowing(errExist)
}

// DeleteRoute removes a route. One that is not there is no error.
func DeleteRoute(dst netip.Prefix, gateway netip.Addr) Call {
	return routeCall(rtmDelete, dst, gateway, fmt.Sprintf("remove route to %s by %s", dst, gateway)).Allowing(errSrch)
}

func routeCall(op byte, dst netip.Prefix, gateway netip.Addr, what string) Call {
	b := make([]byte, rtMsghdrSize, rtMsghdrSize+3*(sockaddrIn6Size+sockaddrAlign))
	for _, a := range []netip.Addr{dst.Addr(), gateway, mask(dst)} {
		sa := make([]byte, sockaddrIn6Size+sockaddrAlign)
		n := putSockaddr(sa, a)
		b = append(b, sa[:align(n)]...)
	}
	le.PutUint16(b[offRtmMsglen:], uint16(len(b)))
	b[offRtmVersion], b[offRtmType] = rtmVersion, op
	le.PutUint32(b[offRtmFlags:], rtfUp|rtfGateway|rtfStatic)
	le.PutUint32(b[offRtmAddrs:], rtaDst|rtaGateway|rtaNetmask)
	return Call{Family: afRoute, Data: b, What: what}
}

// align rounds the size of an address in a message up; one of no size takes room too.
func align(n int) int { return max(sockaddrAlign, (n+sockaddrAlign-1)&^(sockaddrAlign-1)) }
