package stage

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Name is what a stage is called: args[0] of a process that must call [Main].
const Name = "jailshim: first stage"

// Is reports whether the process with these arguments is a stage.
func Is(args []string) bool { return len(args) == 2 && args[0] == Name }

// Command says how to start a stage.
type Command struct {
	// Stdin, Stdout and Stderr are the program's. Nil is /dev/null. With
	// Terminal all are the terminal's slave.
	Stdin, Stdout, Stderr *os.File
	Terminal              bool
	// Keep are passed on to the program, from descriptor 3 on.
	Keep []*os.File
	// Listener, if not nil, is passed for Config.Listen.
	Listener *os.File
}

// Process is a started stage, seen from the runtime. Methods are not safe for
// concurrent use.
type Process struct {
	Pid    int
	Listen int // for Config.Listen; 0 without a listener
	conn   *net.UnixConn
}

// Spawn starts the executable again as a stage. The caller owns the child: it
// waits for it, also after an error of any later call.
func Spawn(c *Command) (_ *Process, retErr error) {
	exe, err := executable()
	if err != nil {
		return nil, err
	}
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, fmt.Errorf("socket pair: %w", err)
	}
	defer theirs.Close()
	conn, err := net.FileConn(ours)
	ours.Close()
	if err != nil {
		return nil, err
	}
	p := &Process{conn: conn.(*net.UnixConn)}
	files, closeNull, err := streams(c)
	if err != nil {
		conn.Close()
		return nil, err
	}
	defer closeNull()
	files = append(files, c.Keep...)
	socket := len(files)
	files = append(files, theirs)
	if c.Listener != nil {
		p.Listen = len(files)
		files = append(files, c.Listener)
	}
	child, err := os.StartProcess(exe, []string{Name, strconv.Itoa(socket)}, &os.ProcAttr{
		Dir: "/",
		// One processor and no garbage collection suit a program that lives for
		// a moment.
		Env:   []string{"GOMAXPROCS=1", "GOGC=off"},
		Files: files,
		Sys:   &syscall.SysProcAttr{Setsid: true, Setctty: c.Terminal, Ctty: 0},
	})
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("start the first stage: %w", err)
	}
	p.Pid = child.Pid
	// The child is waited for by its pid. Release does not fail for a process.
	_ = child.Release()
	return p, nil
}

// executable is this program's path.
var executable = sync.OnceValues(os.Executable)

// streams returns the child's first three descriptors.
func streams(c *Command) ([]*os.File, func(), error) {
	files := []*os.File{c.Stdin, c.Stdout, c.Stderr}
	var null *os.File
	for i, f := range files {
		if f != nil {
			continue
		}
		if null == nil {
			var err error
			if null, err = os.OpenFile(os.DevNull, os.O_RDWR, 0); err != nil {
				return nil, nil, err
			}
		}
		files[i] = null
	}
	return files, func() {
		if null != nil {
			null.Close()
		}
	}, nil
}

// socketPair returns two connected sockets, the first for Go's poller.
func socketPair() (ours, theirs *os.File, err error) {
	syscall.ForkLock.RLock()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err == nil {
		unix.CloseOnExec(fds[0])
		unix.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, err
	}
	return os.NewFile(uintptr(fds[0]), "stage"), os.NewFile(uintptr(fds[1]), "runtime"), nil
}

// Enter sends the Config, with the jail's descriptor if there is one, and waits
// until the stage is in the jail. A failure of the stage is an [*Error]. The
// deadline bounds the wait; the zero time is none.
func (p *Process) Enter(c *Config, jail *os.File, deadline time.Time) error {
	if err := p.conn.SetDeadline(deadline); err != nil {
		return err
	}
	b, err := encodeMessage(c)
	if err != nil {
		return err
	}
	var rights []byte
	if jail != nil {
		rights = unix.UnixRights(int(jail.Fd()))
	}
	n, _, err := p.conn.WriteMsgUnix(b, rights, nil)
	if err == nil && n < len(b) {
		_, err = p.conn.Write(b[n:])
	}
	if err != nil {
		return p.died(err)
	}
	var r Reply
	if err := readMessage(p.conn, &r); err != nil {
		return p.died(err)
	}
	if r.Step != "" {
		return &Error{r}
	}
	return nil
}

// Go lets the stage execute the program, and returns when it has been done. A
// failure of the stage is an [*Error].
func (p *Process) Go(deadline time.Time) error {
	if err := p.conn.SetDeadline(deadline); err != nil {
		return err
	}
	return goOn(p.conn)
}

// Ran waits until a program that was not to wait has been executed.
func (p *Process) Ran(deadline time.Time) error {
	if err := p.conn.SetDeadline(deadline); err != nil {
		return err
	}
	return ran(p.conn)
}

// GoAt is Go for a stage that waits on the socket at path.
func GoAt(path string, deadline time.Time) error {
	d := net.Dialer{Deadline: deadline}
	conn, err := d.Dial("unix", path)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	return goOn(conn)
}

// goOn asks the stage at the other end to execute the program.
func goOn(conn net.Conn) error {
	if err := writeMessage(conn, true); err != nil {
		return fmt.Errorf("the first stage has ended: %w", err)
	}
	return ran(conn)
}

// ran waits for the outcome of executing the program: end of file is success,
// because the socket closes with it.
func ran(conn net.Conn) error {
	var r Reply
	err := readMessage(conn, &r)
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return fmt.Errorf("the first stage gives no answer: %w", err)
	case r.Step != "":
		return &Error{r}
	}
	return errors.New("the first stage answers twice")
}

// died explains a conversation that broke off.
func (p *Process) died(err error) error {
	return fmt.Errorf("the first stage, process %d, has ended: %w", p.Pid, err)
}

// Close closes the conversation. A stage that still waits for Go on it ends.
func (p *Process) Close() error { return p.conn.Close() }
