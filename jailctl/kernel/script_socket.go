package kernel

import (
	"fmt"
	"math"
	"slices"
	"syscall"
	"unsafe"
)

// Request is a request to the network stack of the process that makes it.
type Request struct {
	Domain int    // of the socket on which it is made, AF_…
	Ioctl  uint32 // on a datagram socket; 0: Data is written to a raw one
	Data   []byte
	// Indirect, if there is any, is something whose address belongs into Data, at
	// Offset.
	Indirect []byte
	Offset   int
	// Allow are no failure, of the request or of opening its socket.
	Allow []syscall.Errno
	What  string // it is, for the error
}

// Requests makes requests on sockets of the child, which it closes again.
func (s *Script) Requests(requests []Request) {
	type kind struct{ domain, socket int }
	sockets := make(map[kind]int)
	for _, r := range requests {
		k := kind{r.Domain, sockDgram}
		if r.Ioctl == 0 {
			k.socket = sockRaw
		}
		fd, ok := sockets[k]
		if !ok {
			fd = s.open + len(sockets)
			sockets[k] = fd
			st := s.add(r.What+": open a socket", sysSocket, number(k.domain), number(k.socket|sockCloexec), number(0), number(fd))
			st.op, st.allow = opSocket, r.Allow
		}
		s.request(fd, &r)
	}
	if len(sockets) > 0 {
		s.add("close sockets", sysCloseRange, number(s.open), number(math.MaxUint32), number(0))
	}
}

func (s *Script) request(fd int, r *Request) {
	data := inRoom(s, r.Data)
	if r.Indirect != nil {
		const size = int(unsafe.Sizeof(uintptr(0)))
		if r.Offset < 0 || r.Offset+size > len(data) {
			s.fail(fmt.Errorf("%s: an address at %d of %d bytes: %w", r.What, r.Offset, len(data), syscall.EINVAL))
			return
		}
		le.PutUint64(data[r.Offset:], uint64(uintptr(pointer(inRoom(s, r.Indirect)))))
	}
	var st *step
	if r.Ioctl != 0 {
		st = s.add(r.What, sysIoctl, number(fd), number(int(r.Ioctl)), address(data))
	} else {
		st = s.add(r.What, sysWrite, number(fd), address(data), number(len(data)))
	}
	// A request without the socket that it allows to be missing is none.
	st.allow = append(slices.Clone(r.Allow), syscall.EBADF)
}
