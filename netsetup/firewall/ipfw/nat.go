package ipfw

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
)

// Instance is a NAT instance.
type Instance struct {
	Number         uint16     // from 1 to 65534
	Addr           netip.Addr // the alias address
	Interface      string     // whose first address it becomes when that changes; empty: none
	Reverse        bool       // incoming packets are treated as outgoing ones, and the other way round
	PortLo, PortHi uint16     // alias ports; 0: any
	Redirects      []Redirect
}

// Redirect leads Count ports of an alias address to a container.
type Redirect struct {
	Proto     uint8
	Alias     netip.Addr
	AliasPort uint16
	To        netip.Addr
	ToPort    uint16
	Count     uint16
}

var errShort = errors.New("a message of ipfw that is cut short")

// encodeNAT returns the message that makes or changes an instance.
func encodeNAT(n Instance) ([]byte, error) {
	b, err := natHeader(opNATConfig, n.Number, objHeaderSize+natSize+len(n.Redirects)*redirSize)
	if err != nil {
		return nil, err
	}
	if len(n.Interface) >= nameSize {
		return nil, fmt.Errorf("%q is no name of an interface", n.Interface)
	}
	c := b[objHeaderSize:]
	copy(c, strconv.Itoa(int(n.Number)))
	copy(c[offNATIf:], n.Interface)
	le.PutUint32(c[offNATIP:], address(n.Addr))
	if n.Reverse {
		le.PutUint32(c[offNATMode:], natReverse)
	}
	le.PutUint32(c[offNATRedirs:], uint32(len(n.Redirects)))
	le.PutUint16(c[offNATPortLo:], n.PortLo)
	le.PutUint16(c[offNATPortHi:], n.PortHi)
	for i, r := range n.Redirects {
		r.encode(c[natSize+i*redirSize:])
	}
	return b, nil
}

func natHeader(op, number uint16, size int) ([]byte, error) {
	if number == 0 || number == 65535 {
		return nil, fmt.Errorf("%d is no number of a NAT instance", number)
	}
	b := opHeader(op, size)
	ntlv := b[offObjNTLV:]
	putTLV(ntlv, 0, ntlvSize)
	copy(ntlv[offNTLVName:], strconv.Itoa(int(number)))
	return b, nil
}

func (r Redirect) encode(b []byte) {
	le.PutUint32(b[offRedirLaddr:], address(r.To))
	le.PutUint32(b[offRedirPaddr:], address(r.Alias))
	le.PutUint16(b[offRedirLport:], r.ToPort)
	le.PutUint16(b[offRedirPport:], r.AliasPort)
	le.PutUint16(b[offRedirPcnt:], r.Count)
	le.PutUint16(b[offRedirRcnt:], 1) // with the remote port 0: of all remote ports
	le.PutUint16(b[offRedirMode:], natRedirPort)
	le.PutUint32(b[offRedirProto:], uint32(r.Proto))
}

// encodeNATList returns the request for all instances, with room for count.
func encodeNATList(count int) []byte {
	b := opHeader(opNATList, listHeaderSize+count*natSize)
	le.PutUint32(b[offListSize:], uint32(len(b)))
	return b
}

// decodeNATList returns the numbers of the instances in an answer.
func decodeNATList(b []byte) ([]uint16, error) {
	if len(b) < listHeaderSize {
		return nil, errShort
	}
	count, size := le.Uint32(b[offListCount:]), le.Uint32(b[offListObjSize:])
	b = b[listHeaderSize:]
	if count > 0 && size != natSize || uint64(count)*natSize > uint64(len(b)) {
		return nil, errShort
	}
	var numbers []uint16
	for i := range int(count) {
		name, _, ok := bytes.Cut(b[i*natSize:][:nameSize], []byte{0})
		n, err := strconv.ParseUint(string(name), 10, 31)
		if !ok || err != nil {
			return nil, fmt.Errorf("%q is no number of a NAT instance", name)
		}
		if n < 65535 {
			numbers = append(numbers, uint16(n))
		}
	}
	return numbers, nil
}
