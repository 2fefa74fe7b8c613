package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"jailshim/test/daemon"
)

// terminal shows a shell in the container at a terminal: a pseudo terminal of
// the demo's, at which ctr runs.
func (s *show) terminal() (retErr error) {
	s.say("A terminal in it.")
	const rows, columns = 24, 80
	master, slave, err := daemon.OpenTerminal()
	if err != nil {
		return fmt.Errorf("open a pseudo terminal: %w", err)
	}
	defer func() { retErr = errors.Join(retErr, master.Close()) }()
	if err := unix.IoctlSetWinsize(int(slave.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: columns}); err != nil {
		return errors.Join(err, slave.Close())
	}
	c, err := s.prepare(append([]string{"task", "exec", "--tty", "--fifo-dir", s.fifos(), "--exec-id", "t1", container}, s.image.shell...))
	if err != nil {
		return errors.Join(err, slave.Close())
	}
	c.cmd.Stdin, c.cmd.Stdout, c.cmd.Stderr = slave, slave, slave
	s.typed(c.words, "")
	// Only ctr has the slave side now, so that the screen ends with ctr.
	if err := errors.Join(c.cmd.Start(), slave.Close()); err != nil {
		return err
	}
	screen := &screen{w: &indent{w: s.out}}
	done := make(chan struct{})
	// goroutine: of this function; ends when the last slave side is closed;
	// waited for below.
	go func() {
		defer close(done)
		_, _ = io.Copy(screen, master) // EIO is how Linux says end of file here
	}()
	for _, line := range s.image.typing {
		if err := screen.await(s, "# ", "$ "); err != nil {
			break // ctr has ended or hangs: its exit status tells more
		}
		if _, err := io.WriteString(master, line+"\r"); err != nil {
			break
		}
	}
	err = c.wait(s.image.last)
	<-done
	return err
}

// screen is what a terminal shows.
type screen struct {
	w io.Writer

	mu   sync.Mutex // guards the field below
	line []byte     // the last line
}

// Write implements io.Writer. It never fails: a demo whose reader has gone still
// works its terminal to the end.
func (t *screen) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.line = append(t.line, p...)
	t.line = t.line[bytes.LastIndexByte(t.line, '\n')+1:]
	_, _ = t.w.Write(p)
	return len(p), nil
}

// await waits until the last line is a prompt, and forgets it.
func (t *screen) await(s *show, prompts ...string) error {
	deadline := time.After(daemon.Patience)
	for {
		if t.prompted(prompts) {
			return nil
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-deadline:
			return os.ErrDeadlineExceeded
		case <-s.ctx.Done():
			return s.ctx.Err()
		}
	}
}

func (t *screen) prompted(prompts []string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range prompts {
		if strings.HasSuffix(string(t.line), p) {
			t.line = nil
			return true
		}
	}
	return false
}
