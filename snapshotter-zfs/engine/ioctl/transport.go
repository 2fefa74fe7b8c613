package ioctl

import (
	"errors"
	"syscall"
)

// device is where the kernel module listens.
const device = "/dev/zfs"

// transport carries commands to a ZFS.
type transport interface {
	// layout is that of the commands.
	layout() *layout
	// call hands over a command, whose buffers it may change, and returns ZFS's errno
	// or 0. It blocks, for as long as ZFS needs, whatever signals come.
	call(number uint8, c *command) syscall.Errno
	// close ends all. No call is running or comes.
	close() error
}

const (
	firstDst = 64 << 10 // the buffer for most replies: a file system's properties are 3 KiB
	maxDst   = 64 << 20 // a snapshot with a million clones lists them all
)

// exchange makes a call, again with a larger buffer if the reply's list does not fit.
// The errno is ZFS's. An error is that the reply makes no sense.
func exchange(t transport, r request) (reply, syscall.Errno, error) {
	size := r.dstSize
	for {
		c, err := newCommand(t.layout(), r, size)
		if err != nil {
			var errno syscall.Errno
			if errors.As(err, &errno) {
				return reply{}, errno, nil
			}
			return reply{}, 0, err
		}
		errno := t.call(r.number, c)
		if errno == syscall.ENOMEM && !r.fixed && size > 0 {
			// It tells the size that it needs; what needs it may have grown meanwhile.
			if larger := max(int(min(c.wanted(), maxDst)), 2*size); larger <= maxDst {
				size = larger
				continue
			}
		}
		rep, err := c.reply()
		return rep, errno, err
	}
}
