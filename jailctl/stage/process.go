package stage

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"jailshim/jailctl/kernel"
)

// Process is a started stage, seen from the runtime. Methods are not safe for
// concurrent use.
type Process struct {
	Pid  int
	conn *conn
}

// Start starts a stage. The caller owns the child: it waits for it, also after an
// error of any later call.
func Start(c *Config) (*Process, error) {
	null, err := c.null()
	if err != nil {
		return nil, err
	}
	if null != nil {
		defer null.Close()
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("socket pair: %w", err)
	}
	defer unix.Close(pair[1])
	pid, err := c.script(append(c.files(null), pair[1])).Fork()
	runtime.KeepAlive(c) // and with it the files
	if err != nil {
		unix.Close(pair[0])
		return nil, fmt.Errorf("start the first stage: %w", err)
	}
	return &Process{Pid: pid, conn: &conn{fd: pair[0]}}, nil
}

// Ready waits until the stage is in the jail and has found the program. What it
// could not do is a [*kernel.StepError]. The deadline bounds the wait.
func (p *Process) Ready(deadline time.Time) error {
	p.conn.deadline = deadline
	err := kernel.ReadAnswer(p.conn)
	if errors.Is(err, io.EOF) {
		err = errEnded
	}
	return p.explain(err)
}

var errEnded = errors.New("it has ended")

func (p *Process) explain(err error) error {
	var step *kernel.StepError
	if err == nil || errors.As(err, &step) {
		return err
	}
	return fmt.Errorf("the first stage, process %d: %w", p.Pid, err)
}

// Go lets the stage execute the program, and returns when it has been done. What
// could not be done is a [*kernel.StepError].
func (p *Process) Go(deadline time.Time) error {
	if err := p.Release(deadline); err != nil {
		return err
	}
	return p.Ran(deadline)
}

// Release lets the stage go on, and does not wait. One with a Listener waits there
// from then on.
func (p *Process) Release(deadline time.Time) error {
	p.conn.deadline = deadline
	_, err := p.conn.Write([]byte{0})
	return p.explain(err)
}

// Ran waits until the program has been executed.
func (p *Process) Ran(deadline time.Time) error {
	p.conn.deadline = deadline
	return p.explain(ran(p.conn))
}

// GoAt is Go for a stage that waits on the socket at path.
func GoAt(path string, deadline time.Time) error {
	conn, err := dial(path, deadline)
	if err != nil {
		return err
	}
	if _, err := conn.Write([]byte{0}); err != nil {
		return errors.Join(fmt.Errorf("the first stage has ended: %w", err), conn.Close())
	}
	return errors.Join(ran(conn), conn.Close())
}

// backlog is how many callers may wait for a stage: one starts it, and others may
// have died before it got to them.
const backlog = 16

// Listen returns a socket for [Config.Listener] with a name, which stays when the
// socket is closed.
func Listen(path string) (_ *os.File, retErr error) {
	fd, err := socket()
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), path)
	defer func() {
		if retErr != nil {
			f.Close()
		}
	}()
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		return nil, &os.PathError{Op: "bind", Path: path, Err: err}
	}
	if err := unix.Listen(fd, backlog); err != nil {
		return nil, &os.PathError{Op: "listen", Path: path, Err: err}
	}
	return f, nil
}

func dial(path string, deadline time.Time) (*conn, error) {
	fd, err := socket()
	if err != nil {
		return nil, err
	}
	// A local socket is connected at once, or not at all.
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		unix.Close(fd)
		return nil, &os.PathError{Op: "connect", Path: path, Err: err}
	}
	return &conn{fd: fd, deadline: deadline}, nil
}

func socket() (int, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("local socket: %w", err)
	}
	return fd, nil
}

// ran waits for the outcome of executing the program: end of file is success,
// because the socket closes with it.
func ran(conn io.Reader) error {
	err := kernel.ReadAnswer(conn)
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case err == nil:
		return errors.New("it answers twice")
	}
	return err
}

// Close closes the conversation. A stage that still waits for Go on it ends.
func (p *Process) Close() error { return p.conn.Close() }

// conn is a socket without Go's poller, which is slower than these few messages.
type conn struct {
	fd       int
	deadline time.Time
}

func (c *conn) Read(b []byte) (int, error) {
	for {
		if err := c.wait(unix.POLLIN); err != nil {
			return 0, err
		}
		n, err := unix.Read(c.fd, b)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		// A stage that is killed with something unread resets the connection.
		if errors.Is(err, unix.ECONNRESET) || err == nil && n == 0 && len(b) > 0 {
			return 0, io.EOF
		}
		return max(n, 0), err
	}
}

func (c *conn) Write(b []byte) (int, error) {
	for {
		if err := c.wait(unix.POLLOUT); err != nil {
			return 0, err
		}
		n, err := unix.Write(c.fd, b)
		if !errors.Is(err, unix.EINTR) {
			return max(n, 0), err
		}
	}
}

// wait waits until the socket is ready, or the deadline has come.
func (c *conn) wait(events int16) error {
	fds := []unix.PollFd{{Fd: int32(c.fd), Events: events}}
	for {
		left := max(0, time.Until(c.deadline))
		n, err := unix.Poll(fds, int(left/time.Millisecond))
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return err
		case n > 0:
			return nil
		case left == 0:
			return os.ErrDeadlineExceeded
		}
	}
}

// Close closes the socket; again is no error.
func (c *conn) Close() error {
	if c.fd < 0 {
		return nil
	}
	fd := c.fd
	c.fd = -1
	return unix.Close(fd)
}
