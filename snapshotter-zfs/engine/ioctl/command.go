package ioctl

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"syscall"

	"jailshim/snapshotter-zfs/nvlist"
)

var le = binary.LittleEndian

// request is a call as the engine makes it. What a request does not use stays zero.
type request struct {
	number       uint8
	name         string      // the dataset, or the pool, that it is about
	src          nvlist.List // nil: none
	value        string
	cookie       uint64
	deferDestroy bool
	simple       bool // no properties in the reply
	dstSize      int  // the buffer for the reply's list; 0: the reply has none
	fixed        bool // do not try again with a larger buffer: the call has done its work
}

// reply is what a call has given. It can be there beside an error.
type reply struct {
	name   string
	cookie uint64
	stats  stats
	dst    nvlist.List // nil: none
}

// stats are what each dataset has.
type stats struct {
	clones, createTXG, guid uint64
	kind                    uint32
	snapshot                bool
	origin                  string
}

// command is struct zfs_cmd with its buffers, as a transport takes it. The transport
// fills in their addresses.
type command struct {
	layout *layout
	buf    []byte
	src    []byte
	dst    []byte
}

// newCommand encodes a request.
func newCommand(l *layout, r request, dstSize int) (*command, error) {
	if len(r.name) >= l.nameSize || len(r.value) >= l.valueSize {
		return nil, syscall.ENAMETOOLONG
	}
	c := &command{layout: l, buf: make([]byte, l.room)}
	copy(c.buf, r.name)
	copy(c.buf[l.value:], r.value)
	if r.src != nil {
		var err error
		if c.src, err = nvlist.Encode(r.src); err != nil {
			return nil, err
		}
	}
	c.dst = make([]byte, dstSize)
	le.PutUint64(c.buf[l.head+offSrcSize:], uint64(len(c.src)))
	le.PutUint64(c.buf[l.head+offDstSize:], uint64(len(c.dst)))
	le.PutUint64(c.buf[l.tail+offCookie:], r.cookie)
	if r.deferDestroy {
		le.PutUint32(c.buf[l.tail+offDeferDestroy:], 1)
	}
	if r.simple {
		c.buf[l.tail+offSimple] = 1
	}
	return c, nil
}

// setAddresses is for transports.
func (c *command) setAddresses(src, dst uint64) {
	le.PutUint64(c.buf[c.layout.head+offSrc:], src)
	le.PutUint64(c.buf[c.layout.head+offDst:], dst)
}

// iocparm is the zfs_iocparm_t in which FreeBSD takes a command.
func iocparm(l *layout, cmd uint64) []byte {
	b := make([]byte, iocparmSize)
	le.PutUint32(b[offParmVersion:], freebsdVersion)
	le.PutUint64(b[offParmCmd:], cmd)
	le.PutUint64(b[offParmSize:], uint64(l.size))
	return b
}

// wanted is the size that the reply's list has, or would have.
func (c *command) wanted() uint64 { return le.Uint64(c.buf[c.layout.head+offDstSize:]) }

// filled reports whether the kernel wrote the reply's list.
func (c *command) filled() bool { return le.Uint32(c.buf[c.layout.head+offDstFilled:]) != 0 }

// reply decodes what the kernel wrote.
func (c *command) reply() (reply, error) {
	r := reply{cookie: le.Uint64(c.buf[c.layout.tail+offCookie:])}
	name, ok := cString(c.buf[:c.layout.nameSize])
	if !ok {
		return reply{}, fmt.Errorf("reply: a name without its end")
	}
	r.name = name
	var err error
	if r.stats, err = decodeStats(c.buf[c.layout.tail+offStats:][:statsSize]); err != nil {
		return reply{}, err
	}
	if !c.filled() {
		return r, nil
	}
	if c.wanted() > uint64(len(c.dst)) {
		return reply{}, fmt.Errorf("reply: a list of %d bytes in a buffer of %d", c.wanted(), len(c.dst))
	}
	if r.dst, err = nvlist.Decode(c.dst[:c.wanted()]); err != nil {
		return reply{}, fmt.Errorf("reply: %w", err)
	}
	return r, nil
}

// decodeStats decodes a dmu_objset_stats_t.
func decodeStats(b []byte) (stats, error) {
	if len(b) < statsSize {
		return stats{}, fmt.Errorf("statistics of %d bytes, want %d", len(b), statsSize)
	}
	origin, ok := cString(b[offOrigin : offOrigin+originSize])
	if !ok {
		return stats{}, fmt.Errorf("statistics: an origin without its end")
	}
	return stats{
		clones:    le.Uint64(b[offNumClones:]),
		createTXG: le.Uint64(b[offCreationTXG:]),
		guid:      le.Uint64(b[offGUID:]),
		kind:      le.Uint32(b[offKind:]),
		snapshot:  b[offIsSnapshot] != 0,
		origin:    origin,
	}, nil
}

func cString(b []byte) (string, bool) {
	i := bytes.IndexByte(b, 0)
	if i < 0 {
		return "", false
	}
	return string(b[:i]), true
}
