package link

import (
	"errors"
	"fmt"
	"slices"
	"syscall"
)

// Run makes calls one after the other in the network stack of the calling process, up
// to the first that the kernel refuses; its error is an [*Error]. Answers are in the
// calls' Data and Indirect. Needs root; in a jail, one with its own network stack.
func Run(calls []Call) error {
	sockets := make(map[int]int)
	defer func() {
		for _, fd := range sockets {
			closeSocket(fd)
		}
	}()
	for i := range calls {
		c := &calls[i]
		err := runCall(sockets, c)
		if errno := syscall.Errno(0); errors.As(err, &errno) && !slices.Contains(c.Allow, errno) {
			return &Error{What: c.What, Errno: errno}
		}
	}
	return nil
}

// runCall makes a call on one of the sockets, which are by their families.
func runCall(sockets map[int]int, c *Call) error {
	fd, ok := sockets[c.Family]
	if !ok {
		var err error
		if fd, err = openSocket(c.Family); err != nil {
			return err
		}
		sockets[c.Family] = fd
	}
	if c.Family == afRoute {
		return writeMessage(fd, c.Data)
	}
	return ioctl(fd, c)
}

// List returns the interfaces of the calling process's network stack, by the order of
// their creation.
func List() ([]Interface, error) {
	for size := 16 << 10; size <= maxList; size *= 2 {
		b := make([]byte, size)
		n, err := sysctl([]int32{ctlNet, afRoute, 0, 0, netRtIfListL, 0}, b, nil)
		if errors.Is(err, syscall.ENOMEM) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("list interfaces: %w", err)
		}
		return decodeInterfaces(b[:n])
	}
	return nil, fmt.Errorf("list interfaces: more than %d bytes: %w", maxList, syscall.ENOMEM)
}

// maxList bounds the list of interfaces: some 30,000.
const maxList = 16 << 20

// Sysctl reads a node that holds an int32. ENOENT: there is none of that name; its
// module may not be loaded.
func Sysctl(name string) (int, error) {
	b := make([]byte, 4)
	n, err := sysctlByName(name, b, nil)
	if err == nil && n != len(b) {
		err = ErrLayout
	}
	if err != nil {
		return 0, fmt.Errorf("sysctl %s: %w", name, err)
	}
	return int(int32(le.Uint32(b))), nil
}

// SetSysctl writes a node that holds an int32.
func SetSysctl(name string, value int) error {
	if _, err := sysctlByName(name, nil, le.AppendUint32(nil, uint32(value))); err != nil {
		return fmt.Errorf("set sysctl %s=%d: %w", name, value, err)
	}
	return nil
}
