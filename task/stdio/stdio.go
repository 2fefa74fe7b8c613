package stdio

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"jailshim/driver"
)

const (
	// drainTimeout bounds Drain: a reader that is there but doesn't read.
	drainTimeout = 10 * time.Second
	// drainIdle is how long a stream must have had nothing to move for Drain
	// to conclude that another process merely holds it open.
	drainIdle = 200 * time.Millisecond
	// drainPoll is how often Drain looks.
	drainPoll = 10 * time.Millisecond
)

// IO is the standard streams of one process. Its methods are safe for
// concurrent use.
type IO struct {
	config   Config
	log      *slog.Logger
	stop     chan struct{} // closed by Close
	stopOnce func()

	mu        sync.Mutex // guards the fields below
	child     driver.Stdio
	stdinPath string // of the client's input; empty if there is none
	stdinEnds bool   // CloseStdin was called
	stdin     *stdinFifo
	input     *os.File  // the pipe that the client's input is copied to
	terminal  sink      // where a terminal's output will go; see Attach
	copiers   []*copier // of output
	logger    *logger
	console   *os.File
	closed    bool

	wg sync.WaitGroup // all goroutines
}

// Open opens what c names. For a process without a terminal it starts to copy;
// with one, Attach does. It blocks while a logger starts, as long as ctx allows.
//
// The errors wrap errdefs.ErrInvalidArgument for a scheme or path that can't be
// used, and errdefs.ErrNotFound for a fifo that doesn't exist. Nothing is left
// open then.
func Open(ctx context.Context, c Config, run Starter, log *slog.Logger) (_ *IO, retErr error) {
	t, err := c.parse()
	if err != nil {
		return nil, err
	}
	s := &IO{config: c, log: log, stop: make(chan struct{})}
	s.stopOnce = sync.OnceFunc(func() { close(s.stop) })
	defer func() {
		if retErr != nil {
			s.Close()
		}
	}()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch t.kind {
	case kindFile:
		err = s.openFileLocked(t.stdout)
	case kindBinary, kindBinaryV2:
		err = s.openLoggerLocked(ctx, run, t)
	default:
		err = s.openFifosLocked(t)
	}
	if err != nil {
		return nil, err
	}
	if t.stdin == "" {
		return s, nil
	}
	if _, err := os.Stat(t.stdin); err != nil {
		return nil, pathError("stdin", t.stdin, err)
	}
	s.stdinPath = t.stdin
	if !c.Terminal {
		s.child.Stdin, s.input, err = newPipe(writeEnd)
	}
	return s, err
}

// OpenStdin starts to copy the client's input. Call it when the process is
// started, after Attach if it has a terminal; without input it does nothing.
//
// It is not a part of Open because a client notices that somebody has opened the
// fifo, and ctr is ready to call CloseStdin at the end of its input only once its
// call of Create has returned.
func (s *IO) OpenStdin() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stdinPath == "" || s.stdin != nil || s.closed {
		return nil
	}
	in, err := openStdin(s.stdinPath)
	if err != nil {
		return err
	}
	if s.stdinEnds {
		closeAll(in.keep)
		in.keep = nil
	}
	s.stdin = in
	dst, isPipe := s.input, true
	if s.config.Terminal {
		dst, isPipe = s.console, false
	}
	if dst == nil {
		return nil
	}
	s.wg.Add(1)
	// goroutine: the IO; ends at the end of the input or at Close; waited for
	// by Close.
	go func() {
		defer s.wg.Done()
		copyStdin(dst, in.r)
		in.r.Close()
		if isPipe { // a terminal lives on
			dst.Close()
		}
	}()
	return nil
}

// openFileLocked opens the file to which the process writes directly, or to
// which its terminal's output is copied.
func (s *IO) openFileLocked(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("stdout %q: %w", path, err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("stdout %q: %w", path, err)
	}
	if s.config.Terminal {
		s.terminal = &fileSink{f}
	} else {
		s.child.Stdout, s.child.Stderr = f, f
	}
	return nil
}

// openLoggerLocked starts the logger. The process writes to it directly; a
// terminal's output is copied to it.
func (s *IO) openLoggerLocked(ctx context.Context, run Starter, t *target) error {
	l, w, err := startLogger(ctx, run, &s.config, t, s.log)
	if err != nil {
		return err
	}
	s.logger = l
	s.wg.Add(1)
	// goroutine: the IO; ends when the logger has ended, or at Close; waited
	// for by Close.
	go func() {
		defer s.wg.Done()
		l.adopt(s.log, s.stop)
	}()
	if !s.config.Terminal {
		s.child.Stdout, s.child.Stderr = w[0], w[1]
		return nil
	}
	w[1].Close()
	f, err := pollable(w[0])
	if err != nil {
		return err
	}
	s.terminal = &fileSink{f}
	return nil
}

// openFifosLocked opens the client's fifos and, without a terminal, the pipes
// that are copied to them.
func (s *IO) openFifosLocked(t *target) error {
	for _, out := range []struct {
		stream, path string
		child        **os.File
	}{
		{"stdout", t.stdout, &s.child.Stdout},
		{"stderr", t.stderr, &s.child.Stderr},
	} {
		if out.path == "" {
			continue
		}
		dst, err := openFifo(out.stream, out.path)
		if err != nil {
			return err
		}
		if s.config.Terminal {
			s.terminal = dst
			continue
		}
		r, w, err := newPipe(readEnd)
		if err != nil {
			dst.close()
			return err
		}
		*out.child = w
		s.copyLocked(r, dst)
	}
	return nil
}

// copyLocked starts to copy src to dst, and makes both the IO's to close.
func (s *IO) copyLocked(src *os.File, dst sink) {
	c := &copier{src: src, dst: dst, ended: make(chan struct{})}
	c.fail = func(err error) {
		s.log.Warn("output can't be written; it is dropped from now on", "error", err)
	}
	s.copiers = append(s.copiers, c)
	s.wg.Add(1)
	// goroutine: the IO; ends at the end of the stream or at Close; waited for
	// by Close.
	go func() {
		defer s.wg.Done()
		c.run()
	}()
}

// Child returns the process's ends. They are the IO's; call CloseChild once the
// process has them.
func (s *IO) Child() driver.Stdio {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.child
}

// CloseChild closes the process's ends here, so that the streams end when the
// process and its children have closed theirs.
func (s *IO) CloseChild() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closeChildLocked()
}

func (s *IO) closeChildLocked() {
	closeAll(s.child.Stdin, s.child.Stdout)
	if s.child.Stderr != s.child.Stdout {
		closeAll(s.child.Stderr)
	}
	s.child = driver.Stdio{}
}

// Attach starts to copy between the client and the master side of the process's
// terminal, which becomes the IO's to close.
func (s *IO) Attach(console *os.File) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		console.Close()
		return
	}
	s.console = console
	dst := s.terminal
	if dst == nil {
		dst = discard{}
	}
	s.terminal = nil
	s.copyLocked(console, dst)
}

// Resize sets the size of the terminal, in characters. Without a terminal it
// does nothing.
func (s *IO) Resize(width, height uint16) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.console == nil || s.closed {
		return nil
	}
	raw, err := s.console.SyscallConn()
	if err != nil {
		return err
	}
	var ioctlErr error
	err = raw.Control(func(fd uintptr) {
		ioctlErr = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Col: width, Row: height})
	})
	return errors.Join(err, ioctlErr)
}

// CloseStdin lets the standard input end once the client has closed its end. It
// may be repeated, and does nothing for a process without input.
func (s *IO) CloseStdin() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stdinEnds = true
	if s.stdin == nil || s.stdin.keep == nil {
		return nil
	}
	err := s.stdin.keep.Close()
	s.stdin.keep = nil
	return err
}

// Drain waits until all that the process wrote has been handed on. Call it when
// the process has ended. It gives up on a stream that another process still
// holds open once that has been quiet for a moment, on a client that does not
// read after drainTimeout, and on everything when ctx ends.
func (s *IO) Drain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	s.mu.Lock()
	s.closeChildLocked()
	copiers, l, closed := s.copiers, s.logger, s.closed
	s.mu.Unlock()
	if closed {
		return
	}
	for _, c := range copiers {
		c.drain(ctx)
	}
	if l != nil {
		l.finish(ctx, s.log)
	}
}

// Close ends all copying and closes everything. It may be repeated.
func (s *IO) Close() {
	s.stopOnce()
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.closed = true
	s.closeChildLocked()
	if s.stdin != nil {
		closeAll(s.stdin.r, s.stdin.keep)
		s.stdin.keep = nil
	}
	closeAll(s.input, s.console)
	if s.terminal != nil {
		s.terminal.close()
	}
	for _, c := range s.copiers {
		c.dst.close()
		c.src.Close()
	}
	l := s.logger
	s.mu.Unlock()
	if l != nil {
		l.close()
	}
	s.wg.Wait()
}

// end says which end of a pipe is ours; the other one goes to a process.
type end int

const (
	readEnd end = iota
	writeEnd
	noEnd
)

// newPipe returns a pipe whose end of ours can be waited for by the Go runtime,
// and ended by Close. The other end blocks, as programs expect it.
func newPipe(ours end) (r, w *os.File, err error) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return nil, nil, fmt.Errorf("pipe: %w", err)
	}
	if ours != noEnd {
		if err := unix.SetNonblock(p[ours], true); err != nil {
			unix.Close(p[0])
			unix.Close(p[1])
			return nil, nil, fmt.Errorf("pipe: %w", err)
		}
	}
	return os.NewFile(uintptr(p[0]), "pipe"), os.NewFile(uintptr(p[1]), "pipe"), nil
}

// pollable returns a File for the same open file that the Go runtime can wait
// for, and closes f. The open file no longer blocks, also for others who have it.
func pollable(f *os.File) (*os.File, error) {
	defer f.Close()
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

func closeAll(files ...*os.File) {
	for _, f := range files {
		if f != nil {
			f.Close()
		}
	}
}
