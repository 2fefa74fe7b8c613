package link

import (
	"encoding/binary"
	"syscall"
)

// le is the byte order of all machines that this package runs on.
var le = binary.LittleEndian

// Call is one request on a socket of the network stack in which it is made. It can
// be handed to another process: it holds no pointer, and says where one belongs.
type Call struct {
	// Family is that of the socket: AF_INET and AF_INET6 are datagram sockets on
	// which Request is made with Data; AF_ROUTE is a raw socket to which Data is
	// written. The numbers are FreeBSD's.
	Family int
	// Request is the ioctl's number; 0 with AF_ROUTE.
	Request uint64
	// Data is the argument, or the message. A question's answer replaces it.
	Data []byte
	// Indirect, if not empty, is what Data points to: its address is put into Data
	// at Offset for the time of the call. The kernel may write to it.
	Indirect []byte `json:",omitempty"`
	Offset   int    `json:",omitempty"`
	// What is done, for errors: "set address 10.88.0.2/16 on eth0".
	What string
	// Allow are errnos that are no failure, as the call finds what it was to bring
	// about. The numbers are FreeBSD's.
	Allow []syscall.Errno `json:",omitempty"`
}

// Allowing returns the call with more errnos that are no failure.
func (c Call) Allowing(errnos ...syscall.Errno) Call {
	c.Allow = append(c.Allow[:len(c.Allow):len(c.Allow)], errnos...)
	return c
}

// ifreq makes a call whose argument is a struct ifreq, with nothing in it but the
// name of an interface, of up to 15 bytes.
func ifreqCall(request uint64, name, what string) Call {
	return named(afInet, request, ifreqSize, name, what)
}

// named makes a call with an argument of a size that begins with a name.
func named(family int, request uint64, size int, name, what string) Call {
	c := Call{Family: family, Request: request, Data: make([]byte, size), What: what}
	putName(c.Data, name)
	return c
}

// putName puts a name with at least one NUL into a field of IFNAMSIZ bytes.
func putName(b []byte, name string) { copy(b[:ifNameSize-1], name) }

// text returns s with the NUL that ends it for the kernel.
func text(s string) []byte { return append([]byte(s), 0) }
