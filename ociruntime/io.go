package ociruntime

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/containerd/console"
	runc "github.com/containerd/go-runc"
	"golang.org/x/sys/unix"

	"jailshim/driver"
)

// streams hands a process's ends to the command, whose child inherits them.
type streams struct {
	driver.Stdio
	null *os.File // stands in for the streams that are nil
}

var _ runc.IO = (*streams)(nil)

func newStreams(s driver.Stdio) (*streams, error) {
	if s.Stdin != nil && s.Stdout != nil && s.Stderr != nil {
		return &streams{Stdio: s}, nil
	}
	// A stream that is merely left out would become a pipe of go-runc's.
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	for _, f := range []**os.File{&s.Stdin, &s.Stdout, &s.Stderr} {
		if *f == nil {
			*f = null
		}
	}
	return &streams{Stdio: s, null: null}, nil
}

// Set implements runc.IO.
func (s *streams) Set(cmd *exec.Cmd) {
	cmd.Stdin, cmd.Stdout, cmd.Stderr = s.Stdio.Stdin, s.Stdio.Stdout, s.Stdio.Stderr
}

// Close closes what newStreams opened.
func (s *streams) Close() error {
	if s.null == nil {
		return nil
	}
	return s.null.Close()
}

// Stdin, Stdout and Stderr implement runc.IO; nothing here reads or writes.
func (s *streams) Stdin() io.WriteCloser { return nil }
func (s *streams) Stdout() io.ReadCloser { return nil }
func (s *streams) Stderr() io.ReadCloser { return nil }

// receiveConsole takes the master side of a terminal that the command has sent,
// as a file that the Go runtime can wait for and whose Close ends a read.
func receiveConsole(socket *runc.Socket) (*os.File, error) {
	// The command has ended, so the message is there, or will never be.
	timer := time.AfterFunc(consoleTimeout, func() { socket.Close() })
	defer timer.Stop()
	c, err := socket.ReceiveMaster()
	if err != nil {
		return nil, fmt.Errorf("receive the terminal: %w", err)
	}
	return consoleFile(c)
}

func consoleFile(c console.Console) (_ *os.File, retErr error) {
	defer func() { retErr = errors.Join(retErr, c.Close()) }()
	fd, err := unix.FcntlInt(c.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("terminal: %w", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("terminal: %w", err)
	}
	return os.NewFile(uintptr(fd), c.Name()), nil
}
