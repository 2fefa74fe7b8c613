package cli

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/containerd/console"
	"golang.org/x/sys/unix"

	"jailshim/jailctl/kernel"
)

// terminal connects the terminal of a process with the caller's. Nil is none.
type terminal struct {
	master *os.File        // of the process's
	host   console.Console // the caller's, in raw mode
	out    io.Writer
	copied chan struct{} // closed when the output is not copied any more
}

// openTerminal connects the master with the terminal that the program has. It is
// an error if it has none.
func (p *Program) openTerminal(master *os.File) (*terminal, error) {
	host, err := p.hostTerminal()
	if err != nil {
		return nil, err
	}
	t := &terminal{master: master, host: host, out: p.Stdout, copied: make(chan struct{})}
	t.resize()
	// The caller's terminal makes line ends of its own.
	if err := t.control(console.ClearONLCR); err != nil {
		return nil, fmt.Errorf("terminal: %w", err)
	}
	if err := host.SetRaw(); err != nil {
		return nil, fmt.Errorf("terminal: %w", err)
	}
	// goroutine: of the terminal; ends when nobody has the slave side open any
	// more, or by close, which waits for it.
	go func() {
		defer close(t.copied)
		_, _ = io.Copy(t.out, master) // EIO is how some systems say end of file here
	}()
	// goroutine: of the program; a read of a terminal can't be ended, so it ends
	// with the program.
	go func() { _, _ = io.Copy(master, p.Stdin) }()
	return t, nil
}

// hostTerminal returns the caller's terminal: one of the streams, or that of the
// session.
func (p *Program) hostTerminal() (console.Console, error) {
	for _, f := range []*os.File{p.Stderr, p.Stdout, p.Stdin} {
		if c, err := console.ConsoleFromFile(f); err == nil {
			return c, nil
		}
	}
	f, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("process.terminal in the foreground needs a terminal here: %w", err)
	}
	return console.ConsoleFromFile(f)
}

// control calls f with the master's descriptor, which stays with Go's poller.
func (t *terminal) control(f func(fd uintptr) error) error {
	c, err := t.master.SyscallConn()
	if err != nil {
		return err
	}
	var ferr error
	err = c.Control(func(fd uintptr) { ferr = f(fd) })
	return errors.Join(err, ferr)
}

// resize gives the process's terminal the size of the caller's.
func (t *terminal) resize() {
	if t == nil {
		return
	}
	size, err := t.host.Size()
	if err == nil {
		err = kernel.SetWinsize(t.master, size.Height, size.Width)
	}
	if err != nil {
		slog.Debug("the terminal keeps its size", "error", err)
	}
}

// close copies what is left, and restores the caller's terminal.
func (t *terminal) close() {
	if t == nil {
		return
	}
	// What goes on in the background may keep the terminal open for ever. So the
	// copying is ended, and what is there by now is copied here.
	if err := t.master.SetReadDeadline(time.Now()); err == nil {
		<-t.copied
		t.drain()
	}
	t.master.Close()
	if err := t.host.Reset(); err != nil {
		slog.Warn("the terminal could not be restored", "error", err)
	}
}

// drainLimit bounds what is copied at the end, in bytes: more than a terminal
// holds, and an end to what somebody goes on writing.
const drainLimit = 1 << 20

func (t *terminal) drain() {
	if t.master.SetReadDeadline(time.Time{}) != nil {
		return
	}
	c, err := t.master.SyscallConn()
	if err != nil {
		return
	}
	buf := make([]byte, 32<<10)
	for total := 0; total < drainLimit; {
		n := 0
		err := c.Read(func(fd uintptr) bool {
			n, err = unix.Read(int(fd), buf)
			return true // not to wait
		})
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n <= 0 {
			return
		}
		if _, err := t.out.Write(buf[:n]); err != nil {
			return
		}
		total += n
	}
}
