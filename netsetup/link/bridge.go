package link

import "fmt"

// AddMember makes an interface a member of a bridge, whose MTU it gets; the first
// member gives the bridge its own. One that is a member already is no error. EBUSY: of
// another bridge. ENOENT: there is no such interface. ENXIO: there is no such bridge.
func AddMember(bridge, member string) Call {
	return bridgeCall(siocSDrvSpec, brdgAdd, bridge, member, 0,
		fmt.Sprintf("add %s to bridge %s", member, bridge)).Allowing(errExist)
}

// DeleteMember takes an interface out of a bridge. One that is no member is no error.
func DeleteMember(bridge, member string) Call {
	return bridgeCall(siocSDrvSpec, brdgDel, bridge, member, 0,
		fmt.Sprintf("remove %s from bridge %s", member, bridge)).Allowing(errNoEnt)
}

// SetPrivate has a member of a bridge exchange nothing with other private members, or
// do so again.
func SetPrivate(bridge, member string, private bool) Call {
	flags := uint32(ifbifNew)
	if private {
		flags |= ifbifPrivate
	}
	return bridgeCall(siocSDrvSpec, brdgSIfFlgs, bridge, member, flags,
		fmt.Sprintf("set flags of %s in bridge %s", member, bridge))
}

// GetMember asks for the flags of a bridge's member; see [Call.Private]. ENOENT: it is
// no member.
func GetMember(bridge, member string) Call {
	return bridgeCall(siocGDrvSpec, brdgGIfFlgs, bridge, member, 0,
		fmt.Sprintf("get flags of %s in bridge %s", member, bridge))
}

// Private is the answer to [GetMember].
func (c Call) Private() bool { return le.Uint32(c.Indirect[offIfbrFlags:])&ifbifPrivate != 0 }

func bridgeCall(request uint64, cmd uint64, bridge, member string, flags uint32, what string) Call {
	c := named(afInet, request, ifdrvSize, bridge, what)
	le.PutUint64(c.Data[offIfdCmd:], cmd)
	le.PutUint64(c.Data[offIfdLen:], ifbreqSize)
	c.Indirect, c.Offset = make([]byte, ifbreqSize), offIfdData
	putName(c.Indirect[offIfbrIfsName:], member)
	le.PutUint32(c.Indirect[offIfbrFlags:], flags)
	return c
}
