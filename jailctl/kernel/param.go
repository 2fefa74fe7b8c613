package kernel

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
)

// le is the byte order of all machines that this package runs on.
var le = binary.LittleEndian

// Param is a jail parameter as jail_set(2) takes it: Value is what the kernel
// copies in, in the encoding of the parameter's [Kind]. Bool parameters have a
// nil Value and, when false, "no" before the last component of Name.
type Param struct {
	Name  string
	Value []byte
}

// String makes a parameter of [KindString] or [KindKeyValue]. The kernel reads
// the value up to its first NUL byte; a caller that gets values from elsewhere
// refuses those that have one.
func String(name, value string) Param {
	return Param{Name: name, Value: cString(value)}
}

// Int makes a parameter of [KindInt] or [KindJailsys].
func Int(name string, v int32) Param {
	return Param{Name: name, Value: le.AppendUint32(nil, uint32(v))}
}

// ULong makes a parameter of [KindULong]; host.hostid is one.
func ULong(name string, v uint64) Param {
	return Param{Name: name, Value: le.AppendUint64(nil, v)}
}

// Bool makes a parameter of [KindBool]: the name alone, with "no" before its
// last component when v is false.
func Bool(name string, v bool) Param {
	if !v {
		last := strings.LastIndexByte(name, '.') + 1
		name = name[:last] + "no" + name[last:]
	}
	return Param{Name: name}
}

// IPv4 makes a parameter of [KindIPv4]. The first address is the jail's source
// address; the kernel sorts the others. An address of another family, IPv4
// mapped into IPv6 included, is an error.
func IPv4(name string, addrs []netip.Addr) (Param, error) {
	var value []byte
	for _, a := range addrs {
		if !a.Is4() {
			return Param{}, fmt.Errorf("%s: %v is not an IPv4 address", name, a)
		}
		value = append(value, a.AsSlice()...)
	}
	return Param{Name: name, Value: value}, nil
}

// IPv6 makes a parameter of [KindIPv6], as [IPv4] does. An address with a zone
// is an error: a jail's addresses have no scope.
func IPv6(name string, addrs []netip.Addr) (Param, error) {
	var value []byte
	for _, a := range addrs {
		if !a.Is6() || a.Is4In6() {
			return Param{}, fmt.Errorf("%s: %v is not an IPv6 address", name, a)
		}
		if a.Zone() != "" {
			return Param{}, fmt.Errorf("%s: address %v has a zone", name, a)
		}
		value = append(value, a.AsSlice()...)
	}
	return Param{Name: name, Value: value}, nil
}

// DecodeInt decodes the value of a parameter of [KindInt], [KindJailsys] or
// [KindBool] (0 or 1). A value of another size than 4 bytes wraps [ErrLayout].
func DecodeInt(b []byte) (int32, error) {
	if len(b) != 4 {
		return 0, fmt.Errorf("integer of %d bytes: %w", len(b), ErrLayout)
	}
	return int32(le.Uint32(b)), nil
}

// DecodeULong decodes the value of a parameter of [KindULong].
func DecodeULong(b []byte) (uint64, error) {
	if len(b) != 8 {
		return 0, fmt.Errorf("unsigned long of %d bytes: %w", len(b), ErrLayout)
	}
	return le.Uint64(b), nil
}

// DecodeString decodes the value of a parameter of [KindString] or
// [KindKeyValue]: all up to the first NUL byte, or all if there is none.
func DecodeString(b []byte) string {
	for i, c := range b {
		if c == 0 {
			return string(b[:i])
		}
	}
	return string(b)
}

// DecodeAddrs decodes the value of a parameter of [KindIPv4] (size 4) or
// [KindIPv6] (size 16). A value that is no multiple of the size wraps
// [ErrLayout].
func DecodeAddrs(b []byte, size int) ([]netip.Addr, error) {
	if size != 4 && size != 16 {
		return nil, fmt.Errorf("addresses of %d bytes: %w", size, ErrLayout)
	}
	if len(b)%size != 0 {
		return nil, fmt.Errorf("%d bytes of addresses of %d bytes: %w", len(b), size, ErrLayout)
	}
	addrs := make([]netip.Addr, 0, len(b)/size)
	for ; len(b) > 0; b = b[size:] {
		a, _ := netip.AddrFromSlice(b[:size])
		addrs = append(addrs, a)
	}
	return addrs, nil
}

// cString returns s with the NUL byte that ends it for the kernel.
func cString(s string) []byte { return append([]byte(s), 0) }
