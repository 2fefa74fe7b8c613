package stdio

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"
)

const (
	// readyTimeout bounds the start of a logger.
	readyTimeout = 10 * time.Second
	// flushTimeout bounds the end of a logger that has seen the end of both
	// streams; containerd's own shim grants 12 seconds.
	flushTimeout = 12 * time.Second
	// termTimeout is how long a logger may take to end on SIGTERM.
	termTimeout = 2 * time.Second
)

// Starter runs commands so that nothing else takes their exit status.
type Starter interface {
	Start(*exec.Cmd) error
	Wait(*exec.Cmd) error
}

// logger is a running log command: descriptor 3 is the process's stdout, 4 its
// stderr, and 5 tells us that it is ready.
type logger struct {
	cmd    *exec.Cmd
	exited chan struct{}

	mu      sync.Mutex  // guards the fields below
	readers [2]*os.File // our copies of the ends it reads: see adopt and streams
	ending  bool        // finish or close has begun
}

// startLogger starts a logger and waits until it is ready. It returns the ends
// to write to. Not becoming ready is an error, and then it runs no more.
func startLogger(ctx context.Context, run Starter, c *Config, t *target, log *slog.Logger) (_ *logger, writers [2]*os.File, retErr error) {
	var opened []*os.File
	defer func() {
		if retErr != nil {
			closeAll(opened...)
		}
	}()
	l := &logger{exited: make(chan struct{})}
	for i := range writers {
		r, w, err := newPipe(noEnd)
		if err != nil {
			return nil, writers, err
		}
		opened = append(opened, r, w)
		l.readers[i], writers[i] = r, w
	}
	ready, readyW, err := os.Pipe()
	if err != nil {
		return nil, writers, err
	}
	defer ready.Close()

	l.cmd = exec.Command(t.stdout, t.args...)
	// The id is the container's for an exec, too; containerd's own shim passes the exec's.
	l.cmd.Env = []string{"CONTAINER_ID=" + c.Container, "CONTAINER_NAMESPACE=" + c.Namespace}
	l.cmd.ExtraFiles = []*os.File{l.readers[0], l.readers[1], readyW}
	err = run.Start(l.cmd)
	readyW.Close()
	if err != nil {
		return nil, writers, fmt.Errorf("logger %q: %w: %w", t.stdout, errdefs.ErrInvalidArgument, err)
	}
	// goroutine: the logger; ends when the command has ended; waited for by
	// stop, through exited.
	go func() {
		defer close(l.exited)
		if err := run.Wait(l.cmd); err != nil {
			log.Debug("logger ended", "error", err)
		}
	}()
	if err := awaitReady(ctx, ready, t.kind); err != nil {
		l.kill()
		return nil, writers, fmt.Errorf("logger %q: %w", t.stdout, err)
	}
	return l, writers, nil
}

// awaitReady waits for the end of the ready pipe (binary) or a byte (binary-v2).
func awaitReady(ctx context.Context, ready *os.File, k kind) error {
	deadline := time.Now().Add(readyTimeout)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	if err := ready.SetReadDeadline(deadline); err != nil {
		return err
	}
	n, err := ready.Read(make([]byte, 1))
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errors.New("not ready in time: it must close descriptor 5")
	case n == 0 && k == kindBinaryV2:
		return errors.New("ended before it was ready: with binary-v2 it must write a byte to descriptor 5")
	}
	return nil
}

// adopt reads on in the logger's place if it ends before its time, so that the
// process neither blocks nor gets SIGPIPE.
func (l *logger) adopt(log *slog.Logger, stop <-chan struct{}) {
	select {
	case <-stop:
		return
	case <-l.exited:
	}
	if held, pending := l.streams(); !held && !pending {
		return // it saw the end of both
	}
	readers := l.takeOver(log)
	if readers == nil {
		return
	}
	log.Error("the logger ended while the process runs; its output is dropped from now on", "logger", l.cmd.Path)
	var wg sync.WaitGroup
	for _, r := range readers {
		wg.Add(1)
		// goroutine: adopt; ends at the end of the stream or when close
		// closes the reader; waited for by adopt.
		go func() {
			defer wg.Done()
			_ = readEach(r, new(atomic.Bool), func([]byte) error { return nil })
		}()
	}
	wg.Wait()
}

// takeOver makes the readers ones that close can interrupt, and returns them;
// nil if the logger ends because it is asked to.
func (l *logger) takeOver(log *slog.Logger) []*os.File {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ending {
		return nil
	}
	for i, r := range l.readers {
		p, err := pollable(r)
		if err != nil {
			log.Error("a dead logger's stream can't be read on", "error", err)
			return nil
		}
		l.readers[i] = p
	}
	return slices.Clone(l.readers[:])
}

// streams reports whether somebody can still write to one of the streams, and
// whether one holds data that the logger has not read.
func (l *logger) streams() (held, pending bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.readers {
		h, p := pipeState(r)
		held, pending = held || h, pending || p
	}
	return held, pending
}

// pipeState reports whether a pipe has writers, and whether it holds data.
func pipeState(r *os.File) (open, pending bool) {
	raw, err := r.SyscallConn()
	if err != nil {
		return false, false
	}
	_ = raw.Control(func(fd uintptr) {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		if _, err := unix.Poll(fds, 0); err != nil {
			open = true // can't tell: assume the worst
			return
		}
		open = fds[0].Revents&unix.POLLHUP == 0
		pending = fds[0].Revents&unix.POLLIN != 0
	})
	return open, pending
}

// finish lets the logger end by itself once it has seen the end of both
// streams. If they don't end, because some other process holds them, the logger
// has until the streams have been empty for a while. Then it is asked to end, and
// killed if it doesn't.
func (l *logger) finish(ctx context.Context, log *slog.Logger) {
	flush := time.NewTimer(flushTimeout)
	defer flush.Stop()
	tick := time.NewTicker(drainPoll)
	defer tick.Stop()
	quietSince := time.Now()
wait:
	for {
		select {
		case <-l.exited:
			return
		case <-ctx.Done():
			break wait
		case <-flush.C:
			log.Warn("the logger did not end by itself", "logger", l.cmd.Path)
			break wait
		case now := <-tick.C:
			held, pending := l.streams()
			if pending {
				quietSince = now
			}
			if held && now.Sub(quietSince) > drainIdle {
				break wait
			}
		}
	}
	l.mu.Lock()
	l.ending = true // what it leaves unread is no longer wanted
	l.mu.Unlock()
	_ = l.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-l.exited:
	case <-time.After(termTimeout):
		l.kill()
	}
}

// kill ends the logger and waits for it.
func (l *logger) kill() {
	_ = l.cmd.Process.Kill()
	<-l.exited
}

// close ends the logger, if it still runs, and lets go of the streams.
func (l *logger) close() {
	select {
	case <-l.exited:
	default:
		l.kill()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ending = true
	closeAll(l.readers[:]...)
}
