package stdio

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"
)

const (
	// ReaderGrace is how long output waits for a reader to come back to a fifo
	// before it is dropped: longer than a restart of containerd takes.
	ReaderGrace = 10 * time.Second

	// readerPoll bounds the wait between two looks for a reader, while output
	// waits for one; the first looks come sooner.
	readerPoll = 100 * time.Millisecond
)

// fifoSink writes to a fifo of the client.
//
// Only a write end is held. A read end of ours would spare us EPIPE, but also
// hide whether anybody reads, and output would block for ever once the pipe is
// full.
type fifoSink struct {
	path    string
	grace   time.Duration
	file    *os.File
	done    chan struct{}
	end     func()
	waiting atomic.Bool // output is held back for want of a reader
	dropped bool        // the last output was dropped; used by write only
}

// openFifo opens the write end without waiting for a reader. A path that is no
// fifo is opened for appending. A missing one is an error wrapping
// errdefs.ErrNotFound.
func openFifo(stream, path string) (sink, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, pathError(stream, path, err)
	}
	if st.Mode().Type() != fs.ModeNamedPipe {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			return nil, pathError(stream, path, err)
		}
		return &fileSink{f}, nil
	}
	// A write end can be opened without blocking only while there is a reader.
	// Be the reader for a moment. From then on there is a writer, so that a
	// client that opens its end later does not block either.
	r, err := os.OpenFile(path, os.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, pathError(stream, path, err)
	}
	defer r.Close()
	w, err := os.OpenFile(path, os.O_WRONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, pathError(stream, path, err)
	}
	s := &fifoSink{path: path, grace: ReaderGrace, file: w, done: make(chan struct{})}
	s.end = sync.OnceFunc(func() { close(s.done) })
	return s, nil
}

func pathError(stream, path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s %q: %w: %w", stream, path, errdefs.ErrNotFound, err)
	}
	return fmt.Errorf("%s %q: %w", stream, path, err)
}

// write hands p over. It returns nil also when p was dropped for want of a
// reader, and an error only when nothing can be written any more.
func (s *fifoSink) write(p []byte) error {
	var start time.Time
	pause := time.Millisecond
	for {
		n, err := s.file.Write(p)
		p = p[n:]
		if err == nil {
			s.dropped = false
			return nil
		}
		if !errors.Is(err, syscall.EPIPE) {
			return err
		}
		if n > 0 || start.IsZero() {
			start = time.Now()
		}
		if s.dropped || time.Since(start) > s.grace {
			s.dropped = true
			return nil
		}
		if !s.pause(pause) {
			return os.ErrClosed
		}
		pause = min(2*pause, readerPoll)
	}
}

// pause waits for a reader to come; false if the sink is closed.
func (s *fifoSink) pause(d time.Duration) bool {
	s.waiting.Store(true)
	defer s.waiting.Store(false)
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-s.done:
		return false
	}
}

// finish lets the reader see the end of the stream. What nobody has read yet would
// go with the last end that is open, so this one stays until there is a reader, or
// close.
func (s *fifoSink) finish() {
	for !s.hasReader() {
		if !s.pause(readerPoll) {
			return
		}
	}
	s.close()
}

// hasReader reports whether somebody has the fifo open for reading.
func (s *fifoSink) hasReader() bool {
	raw, err := s.file.SyscallConn()
	if err != nil {
		return true // closed
	}
	found := true
	_ = raw.Control(func(fd uintptr) {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
		if _, err := unix.Poll(fds, 0); err == nil {
			// Linux says POLLERR, FreeBSD POLLHUP.
			found = fds[0].Revents&(unix.POLLERR|unix.POLLHUP) == 0
		}
	})
	return found
}

func (s *fifoSink) stalled() bool { return s.waiting.Load() }

func (s *fifoSink) close() {
	s.end()
	s.file.Close()
}

// fileSink writes to a file, or a pipe of ours.
type fileSink struct{ file *os.File }

func (s *fileSink) write(p []byte) error {
	_, err := s.file.Write(p)
	return err
}

func (s *fileSink) finish()       { s.close() }
func (s *fileSink) stalled() bool { return false }
func (s *fileSink) close()        { s.file.Close() }

// stdinFifo is our side of the client's standard input: the end we read, and a
// write end that keeps the stream from ending while the client is away.
type stdinFifo struct {
	r    *os.File
	keep *os.File // nil if the path is no fifo
}

func openStdin(path string) (*stdinFifo, error) {
	r, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, pathError("stdin", path, err)
	}
	st, err := r.Stat()
	if err != nil {
		r.Close()
		return nil, pathError("stdin", path, err)
	}
	if st.Mode().Type() != fs.ModeNamedPipe {
		return &stdinFifo{r: r}, nil
	}
	keep, err := os.OpenFile(path, os.O_WRONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		r.Close()
		return nil, pathError("stdin", path, err)
	}
	return &stdinFifo{r: r, keep: keep}, nil
}
