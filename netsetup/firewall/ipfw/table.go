package ipfw

import (
	"fmt"
	"net/netip"
)

// FlowKey says what a flow table compares besides the protocol.
type FlowKey uint8

// The kinds of flow tables.
const (
	BySource      FlowKey = flowProto | flowSrcIP | flowSrcPort
	ByDestination FlowKey = flowProto | flowDstIP | flowDstPort
)

// Entry is one entry of a flow table: an address, protocol and port, and the NAT
// instance that they lead to.
type Entry struct {
	Addr  netip.Addr // IPv4
	Proto uint8
	Port  uint16
	NAT   uint32
}

// algorithm is the flow table's, and the only one there is (flow_hash,
// sys/netpfil/ipfw/ip_fw_table_algo.c).
const algorithm = "flow:hash"

// objHeader begins a message about a named object.
func objHeader(op uint16, name string, kind byte, size int) ([]byte, error) {
	ntlv, err := encodeName(name, 1)
	if err != nil {
		return nil, err
	}
	b := opHeader(op, size)
	le.PutUint32(b[opHeaderSize:], 1) // idx
	ntlv[offNTLVType] = kind
	copy(b[offObjNTLV:], ntlv)
	return b, nil
}

// encodeTable returns the message that makes a flow table whose values are instances.
func encodeTable(name string, key FlowKey) ([]byte, error) {
	b, err := objHeader(opTableCreate, name, 0, objHeaderSize+tableInfoSize)
	if err != nil {
		return nil, err
	}
	info := b[objHeaderSize:]
	info[0], info[offTableFlags] = tableFlow, byte(key)
	le.PutUint32(info[offTableMask:], valueNAT)
	copy(info[offTableAlgo:], algorithm)
	return b, nil
}

// encodeEntries returns the message that adds entries to a table, in place of those
// that are there with the same key, or deletes them. The kernel takes all or none
// only on request, and we don't ask: each may be repeated.
func encodeEntries(op uint16, table string, key FlowKey, entries []Entry) ([]byte, error) {
	b, err := objHeader(op, table, tableFlow, objHeaderSize+ctlvSize+len(entries)*entrySize)
	if err != nil {
		return nil, err
	}
	list := b[objHeaderSize:]
	putTLV(list, 0, len(list)) // the kernel doesn't look at the type, and ipfw(8) sets none
	le.PutUint32(list[offCTLVCount:], uint32(len(entries)))
	for i, e := range entries {
		if !e.Addr.Is4() {
			return nil, fmt.Errorf("%s is no IPv4 address", e.Addr)
		}
		e.encode(list[ctlvSize+i*entrySize:][:entrySize], key)
	}
	return b, nil
}

func (e Entry) encode(b []byte, key FlowKey) {
	putTLV(b, 0, entrySize)
	le.PutUint16(b[offTLVFlags:], entryUpdate)
	b[offEntryType] = afInet
	le.PutUint32(b[offEntryType+4:], 1) // idx
	flow := b[offEntryFlow:]
	flow[0], flow[offFlowProto] = afInet, e.Proto
	addr, port := offFlowSIP, offFlowSport
	if key == ByDestination {
		addr, port = offFlowDIP, offFlowDport
	}
	copy(flow[addr:], e.Addr.AsSlice())
	flow[port], flow[port+1] = byte(e.Port>>8), byte(e.Port)
	le.PutUint32(b[offEntryValue+offValueNAT:], e.NAT)
}
