package link

import (
	"fmt"
	"net"
	"strings"
)

// MaxName is how long the name of an interface can be, in bytes.
const MaxName = ifNameSize - 1

// MaxUnit is the highest number that an interface can be created with.
const MaxUnit = ifMaxUnit

// Create makes an interface of a kind with the number unit: "epair7" makes epair7a and
// epair7b, "bridge7" the interface of that name. EEXIST: the number is taken, whatever
// its interface is called now. EINVAL: the module of the kind is not loaded. Of an
// epair, IPv6 is disabled until [FreshIPv6].
func Create(kind string, unit int) Call {
	name := fmt.Sprintf("%s%d", kind, unit)
	return ifreqCall(siocIFCreate2, name, "create "+name)
}

// Destroy removes an interface. Of an epair both ends go, also when the other one is
// in a jail. One that is not there is no error.
func Destroy(name string) Call {
	return ifreqCall(siocIFDestroy, name, "destroy "+name).Allowing(errNXIO)
}

// Rename gives an interface another name. EEXIST: the name is in use.
func Rename(name, to string) Call {
	c := ifreqCall(siocSIFName, name, fmt.Sprintf("rename %s to %s", name, to))
	c.Indirect, c.Offset = text(to), offIfrData
	return c
}

// SetMTU sets the MTU, in bytes. The ends of an epair have one each. That of a
// bridge's member can't be changed (EOPNOTSUPP).
func SetMTU(name string, mtu int) Call {
	c := ifreqCall(siocSIFMTU, name, fmt.Sprintf("set MTU %d of %s", mtu, name))
	le.PutUint32(c.Data[offIfrMTU:], uint32(mtu))
	return c
}

// SetMAC sets the Ethernet address, of six bytes.
func SetMAC(name string, mac net.HardwareAddr) Call {
	c := ifreqCall(siocSIFLLAddr, name, fmt.Sprintf("set MAC %s of %s", mac, name))
	b := c.Data[offIfrAddr:]
	// The length is that of the address, not of the structure.
	b[offSockaddrLen], b[offSockaddrFamily] = byte(len(mac)), afLink
	copy(b[2:], mac)
	return c
}

// Up sets IFF_UP of a fresh interface, without flags that could be lost: those of a
// fresh epair or bridge can't be changed. For others, see [GetFlags].
func Up(name string) Call { return SetFlags(name, FlagUp) }

// SetFlags replaces the flags of an interface; some can't be changed and stay.
func SetFlags(name string, flags uint32) Call {
	c := ifreqCall(siocSIFFlags, name, fmt.Sprintf("set flags %#x of %s", flags, name))
	if flags == FlagUp {
		c.What = "bring up " + name
	}
	le.PutUint16(c.Data[offIfrFlags:], uint16(flags))
	le.PutUint16(c.Data[offIfrFlags2:], uint16(flags>>16))
	return c
}

// GetFlags asks for the flags of an interface. Its answer is read with [Call.Flags].
func GetFlags(name string) Call {
	return ifreqCall(siocGIFFlags, name, "get flags of "+name)
}

// Flags is the answer to [GetFlags].
func (c Call) Flags() uint32 {
	return uint32(le.Uint16(c.Data[offIfrFlags:])) | uint32(le.Uint16(c.Data[offIfrFlags2:]))<<16
}

// SetDescription sets the text that ifconfig shows for an interface.
func SetDescription(name, description string) Call {
	c := ifreqCall(siocSIFDescr, name, "describe "+name)
	c.Indirect, c.Offset = text(description), offIfrBufData
	le.PutUint64(c.Data[offIfrBufLen:], uint64(len(c.Indirect)))
	return c
}

// GetDescription asks for the text that [SetDescription] set. Its answer is read with
// [Call.Description].
func GetDescription(name string) Call {
	c := ifreqCall(siocGIFDescr, name, "get description of "+name).Allowing(errNoMsg)
	c.Indirect, c.Offset = make([]byte, descriptionSize), offIfrBufData
	le.PutUint64(c.Data[offIfrBufLen:], uint64(len(c.Indirect)))
	return c
}

// descriptionSize is room for a description of the kernel's default limit,
// ifdescr_maxlen in sys/net/if.c; of a longer one, nothing is returned.
const descriptionSize = 1024

// Description is the answer to [GetDescription].
func (c Call) Description() string {
	text, _, _ := strings.Cut(string(c.Indirect), "\x00")
	return text
}

// AddGroup makes an interface a member of a group, whose name does not end in a digit.
func AddGroup(name, group string) Call {
	c := named(afInet, siocAIFGroup, ifgroupreqSize, name, fmt.Sprintf("add %s to group %s", name, group)).Allowing(errExist)
	putName(c.Data[offIfgrGroup:], group)
	return c
}

// GetCaps asks which capabilities an interface has. Its answer is for [NoTXChecksums].
func GetCaps(name string) Call {
	return ifreqCall(siocGIFCap, name, "get capabilities of "+name)
}

// NoTXChecksums has an interface compute the checksums of what it sends, where the
// answer to [GetCaps] shows that it doesn't; ok is false if there is nothing to do. One
// call does for both ends of an epair, as long as neither has moved.
//
// Since 15.1 a packet goes through an epair without a checksum, which is right as long
// as it ends on the machine, and wrong when it is translated and sent on.
func NoTXChecksums(name string, caps Call) (c Call, ok bool) {
	enabled := le.Uint32(caps.Data[offIfrCurCap:])
	if enabled&(capTXCsum|capTXCsum6) == 0 {
		return Call{}, false
	}
	c = ifreqCall(siocSIFCap, name, "turn checksum offloading of "+name+" off")
	le.PutUint32(c.Data[offIfrReqCap:], enabled&^(capTXCsum|capTXCsum6))
	return c, true
}

// MoveTo moves an interface of the host into the network stack of a jail. ENXIO: there
// is no such interface, no such jail, or it is dying. EEXIST: the jail has an interface
// of that name, or not a network stack of its own.
func MoveTo(name string, jid int) Call {
	c := ifreqCall(siocSIFVNet, name, fmt.Sprintf("move %s into jail %d", name, jid))
	le.PutUint32(c.Data[offIfrJID:], uint32(jid))
	return c
}

// MoveBack moves an interface of a jail to the host. ENXIO: there is no such interface
// in it, no such jail, or it is dying.
func MoveBack(name string, jid int) Call {
	c := ifreqCall(siocSIFRVNet, name, fmt.Sprintf("move %s back from jail %d", name, jid))
	le.PutUint32(c.Data[offIfrJID:], uint32(jid))
	return c
}
