package stdio

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// sink takes the output of one stream. close may be called at any time, and ends
// a write or finish that waits.
type sink interface {
	// write hands p over. It may block.
	write(p []byte) error
	// finish tells the other side that no more comes. It may wait until there
	// is one.
	finish()
	// stalled reports that a write waits for somebody who may never come.
	stalled() bool
	close()
}

// discard is the sink of output that nobody asked for.
type discard struct{}

func (discard) write([]byte) error { return nil }
func (discard) finish()            {}
func (discard) stalled() bool      { return false }
func (discard) close()             {}

// buffers are shared by all copiers. One is taken only when there is something
// to read, so that an idle stream holds none.
var buffers = sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}

// copier moves one stream. If the sink fails, it goes on reading and drops what
// it reads: the process must never block, or be killed, for what happens to its
// output.
type copier struct {
	src  *os.File
	dst  sink
	fail func(error) // told of the first error of dst; not nil

	busy  atomic.Bool   // has read something that is not yet written
	moved atomic.Uint64 // number of reads, to see progress
	ended chan struct{} // closed when all there was has been written
}

// run copies until the end of the stream, or until src is closed.
func (c *copier) run() {
	defer c.dst.close()
	dst := c.dst
	// The end is 0 for a pipe, and on FreeBSD for a terminal; EIO for a
	// terminal on Linux. Either way there is no more to come.
	_ = readEach(c.src, &c.busy, func(p []byte) error {
		c.moved.Add(1)
		if err := dst.write(p); err != nil {
			if !errors.Is(err, os.ErrClosed) {
				c.fail(err)
			}
			dst = discard{}
		}
		return nil
	})
	close(c.ended)
	c.dst.finish()
}

// drain waits for the end of the stream, as long as there is something to move.
func (c *copier) drain(ctx context.Context) {
	tick := time.NewTicker(drainPoll)
	defer tick.Stop()
	since := time.Now()
	_, last := c.quiet()
	for {
		select {
		case <-c.ended:
			return
		case <-ctx.Done():
			return
		case now := <-tick.C:
			quiet, moved := c.quiet()
			if !quiet || moved != last {
				since, last = now, moved
			}
			if now.Sub(since) > drainIdle {
				return
			}
		}
	}
}

// quiet reports that the copier waits: for input, or for a reader that may
// never come. With the count of moves a caller can tell whether it stays so.
func (c *copier) quiet() (bool, uint64) {
	moved := c.moved.Load()
	return !c.busy.Load() || c.dst.stalled(), moved
}

// copyStdin moves the client's input to the process, until it ends or either
// side is closed.
func copyStdin(dst io.Writer, src *os.File) {
	_ = readEach(src, new(atomic.Bool), func(p []byte) error {
		_, err := dst.Write(p)
		return err
	})
}

// readEach calls fn with what can be read from src, piece by piece, until the
// end, an error, or fn's error. busy is true from the moment something was read
// until fn has returned.
func readEach(src *os.File, busy *atomic.Bool, fn func([]byte) error) error {
	raw, err := src.SyscallConn()
	if err != nil {
		return err
	}
	for {
		var (
			buf  *[]byte
			n    int
			rerr error
		)
		err := raw.Read(func(fd uintptr) bool {
			buf = buffers.Get().(*[]byte)
			n, rerr = readAgain(int(fd), *buf)
			if errors.Is(rerr, syscall.EAGAIN) {
				buffers.Put(buf)
				return false
			}
			busy.Store(true)
			return true
		})
		if err != nil {
			return err
		}
		switch {
		case rerr != nil:
			err = rerr
		case n == 0:
			err = io.EOF
		default:
			err = fn((*buf)[:n])
		}
		buffers.Put(buf)
		busy.Store(false)
		if err != nil {
			return err
		}
	}
}

func readAgain(fd int, p []byte) (int, error) {
	for {
		n, err := syscall.Read(fd, p)
		if !errors.Is(err, syscall.EINTR) {
			return n, err
		}
	}
}
