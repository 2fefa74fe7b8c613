package ipfw

import (
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Conn is a way to the host's ipfw.
type Conn struct{ fd int }

// Open opens one. It returns ErrNotLoaded without ipfw, and ErrOld before 15.0.
func Open() (*Conn, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
	if err != nil {
		return nil, fmt.Errorf("open a raw socket for ipfw: %w", err)
	}
	c := &Conn{fd: fd}
	_, err = c.Rules(1, 1)
	switch {
	case errors.Is(err, unix.ENOPROTOOPT):
		err = ErrNotLoaded
	case errors.Is(err, unix.EINVAL):
		err = ErrOld // there is no such version: find_sh, sys/netpfil/ipfw/ip_fw_sockopt.c
	}
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// Close closes it.
func (c *Conn) Close() error { return unix.Close(c.fd) }

// AddRules adds rules, all or none. They must be sorted by number.
func (c *Conn) AddRules(rules []Rule) error {
	b, err := encodeRules(rules)
	if err != nil {
		return err
	}
	_, err = c.get("IP_FW_XADD", "", b)
	return err
}

// DeleteRules deletes the rules of a set with numbers from first to last.
func (c *Conn) DeleteRules(set uint8, first, last uint32) error {
	_, err := c.get("IP_FW_XDEL", "", encodeRange(opDel, rangeRules|rangeSet, first, last, uint32(set), 0))
	return err
}

// DisableSet makes the rules of a set match nothing.
func (c *Conn) DisableSet(set uint8) error {
	return c.set("IP_FW_SET_ENABLE", "", encodeRange(opSetEnable, 0, 0, 0, 1<<set, 0))
}

// EnableSet undoes that.
func (c *Conn) EnableSet(set uint8) error {
	return c.set("IP_FW_SET_ENABLE", "", encodeRange(opSetEnable, 0, 0, 0, 0, 1<<set))
}

// SwapSets swaps the rules of two sets at once.
func (c *Conn) SwapSets(a, b uint8) error {
	return c.set("IP_FW_SET_SWAP", "", encodeRange(opSetSwap, 0, 0, 0, uint32(a), uint32(b)))
}

// Rules returns the rules with numbers from first to last, without instructions.
func (c *Conn) Rules(first, last uint32) ([]Rule, error) {
	b, err := c.grow("IP_FW_XGET", offCfgSize, func(size int) []byte { return encodeGet(first, last, size) })
	if err != nil {
		return nil, err
	}
	all, err := decodeGet(b)
	if err != nil {
		return nil, fmt.Errorf("IP_FW_XGET: %w", err)
	}
	var rules []Rule
	for _, r := range all {
		if r.Number >= first && r.Number <= last { // the kernel gives one more
			rules = append(rules, r)
		}
	}
	return rules, nil
}

// CreateTable makes a flow table. It returns false if there is one of that name.
func (c *Conn) CreateTable(name string, key FlowKey) (created bool, err error) {
	b, err := encodeTable(name, key)
	if err != nil {
		return false, err
	}
	err = c.set("IP_FW_TABLE_XCREATE", name, b)
	if errors.Is(err, unix.EEXIST) {
		return false, nil
	}
	return err == nil, err
}

// DestroyTable removes a table. None is no error; EBUSY: rules look it up.
func (c *Conn) DestroyTable(name string) error {
	b, err := objHeader(opTableDestroy, name, 0, objHeaderSize)
	if err != nil {
		return err
	}
	return except(c.set("IP_FW_TABLE_XDESTROY", name, b), unix.ESRCH)
}

// batch is how many entries one message has: the kernel keeps all of it in memory.
const batch = 512

// AddEntries adds entries to a table, in place of those of the same key.
func (c *Conn) AddEntries(table string, key FlowKey, entries []Entry) error {
	return c.entries("IP_FW_TABLE_XADD", opTableAdd, table, key, entries, unix.EEXIST)
}

// DeleteEntries deletes entries. Those that are not there are no error.
func (c *Conn) DeleteEntries(table string, key FlowKey, entries []Entry) error {
	return c.entries("IP_FW_TABLE_XDEL", opTableDel, table, key, entries, unix.ENOENT)
}

func (c *Conn) entries(what string, op uint16, table string, key FlowKey, entries []Entry, fine syscall.Errno) error {
	for len(entries) > 0 {
		n := min(len(entries), batch)
		b, err := encodeEntries(op, table, key, entries[:n])
		if err != nil {
			return err
		}
		if _, err := c.get(what, table, b); except(err, fine) != nil {
			return err
		}
		entries = entries[n:]
	}
	return nil
}

// SetNAT makes an instance, or gives one a new configuration.
func (c *Conn) SetNAT(n Instance) error {
	b, err := encodeNAT(n)
	if err != nil {
		return err
	}
	return natError(c.set("IP_FW_NAT44_XCONFIG", strconv.Itoa(int(n.Number)), b))
}

// DeleteNAT removes an instance. None is no error.
func (c *Conn) DeleteNAT(number uint16) error {
	b, err := natHeader(opNATDestroy, number, objHeaderSize)
	if err != nil {
		return err
	}
	return except(natError(c.set("IP_FW_NAT44_DESTROY", strconv.Itoa(int(number)), b)), unix.ESRCH)
}

// NATs returns the numbers of all instances.
func (c *Conn) NATs() ([]uint16, error) {
	b, err := c.grow("IP_FW_NAT44_LIST_NAT", offListSize, func(size int) []byte {
		return encodeNATList((max(size, listHeaderSize) - listHeaderSize + natSize - 1) / natSize)
	})
	if err != nil {
		return nil, natError(err)
	}
	return decodeNATList(b)
}

// natError tells that there is no NAT: without its module, the kernel knows no such
// operation.
func natError(err error) error {
	if errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("%w: ipfw_nat: %w", err, ErrNotLoaded)
	}
	return err
}

func except(err error, errno syscall.Errno) error {
	if errors.Is(err, errno) {
		return nil
	}
	return err
}

// tries bounds how often an answer may outgrow the room for it.
const tries = 8

// grow repeats a request with more room until the answer fits. The kernel tells its
// size at an offset.
func (c *Conn) grow(op string, offSize int, request func(size int) []byte) ([]byte, error) {
	size := 4096
	for range tries {
		b := request(size)
		n, err := c.get(op, "", b)
		if err == nil {
			return b[:n], nil
		}
		if !errors.Is(err, unix.ENOMEM) {
			return nil, err
		}
		size = max(2*size, int(le.Uint32(b[offSize:]))+4096)
	}
	return nil, &Error{Op: op, Errno: unix.ENOMEM}
}

// set makes a setsockopt call.
func (c *Conn) set(op, object string, b []byte) error {
	_, _, errno := unix.Syscall6(unix.SYS_SETSOCKOPT, uintptr(c.fd), unix.IPPROTO_IP, optIPFW3, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), 0)
	runtime.KeepAlive(b)
	if errno != 0 {
		return &Error{Op: op, Object: object, Errno: errno}
	}
	return nil
}

// get makes a getsockopt call and returns how much of b the answer takes.
func (c *Conn) get(op, object string, b []byte) (int, error) {
	size := uint32(len(b))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(c.fd), unix.IPPROTO_IP, optIPFW3, uintptr(unsafe.Pointer(&b[0])), uintptr(unsafe.Pointer(&size)), 0)
	runtime.KeepAlive(b)
	if errno != 0 {
		return 0, &Error{Op: op, Object: object, Errno: errno}
	}
	return int(size), nil
}
