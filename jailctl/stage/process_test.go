package stage

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"jailshim/jailctl/kernel"
)

// pair is a conversation whose other end is the test's.
func pair(t *testing.T) (*Process, *os.File) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	p := &Process{Pid: 1, conn: &conn{fd: fds[0]}}
	other := os.NewFile(uintptr(fds[1]), "stage")
	t.Cleanup(func() {
		other.Close()
		p.Close()
	})
	return p, other
}

// failure is what a stage answers that could not do a step.
const failure = "\x02\x00\x00\x00\x01\x00\x00\x00find program \"x\""

func TestProcess_Answers(t *testing.T) {
	soon := func() time.Time { return time.Now().Add(time.Minute) }
	for _, tt := range []struct {
		name, answer string
		ready, ran   bool // no error
	}{
		{"well", "\x00\x00\x00\x00\x00\x00\x00\x00", true, false},
		{"ended, or executed", "", false, true},
		{"broken off", "\x00\x00", false, false},
		{"failed", failure, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for what, c := range map[string]struct {
				call func(*Process) error
				fine bool
			}{
				"Ready": {func(p *Process) error { return p.Ready(soon()) }, tt.ready},
				"Ran":   {func(p *Process) error { return p.Ran(soon()) }, tt.ran},
				"Go":    {func(p *Process) error { return p.Go(soon()) }, tt.ran},
			} {
				p, other := pair(t)
				if _, err := io.WriteString(other, tt.answer); err != nil {
					t.Fatal(err)
				}
				if err := unix.Shutdown(int(other.Fd()), unix.SHUT_WR); err != nil {
					t.Fatal(err)
				}
				err := c.call(p)
				if (err == nil) != c.fine {
					t.Errorf("%s: %v", what, err)
				}
				var step *kernel.StepError
				if told := errors.As(err, &step); told != (tt.answer == failure) {
					t.Errorf("%s: %v", what, err)
				} else if told && (!step.Program || step.Errno != unix.ENOENT || step.Step != `find program "x"`) {
					t.Errorf("%s: %+v", what, step)
				}
			}
		})
	}
}

func TestProcess_SilentStage_Deadline(t *testing.T) {
	p, _ := pair(t)
	began := time.Now()
	if err := p.Ready(began.Add(20 * time.Millisecond)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if took := time.Since(began); took < 20*time.Millisecond {
		t.Errorf("it gave up after %v", took)
	}
}

func TestProcess_Close_Twice(t *testing.T) {
	p, other := pair(t)
	for range 2 {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
	if n, err := other.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("the stage reads %d, %v, want the end", n, err)
	}
}

// GoAt starts a stage through the socket that Listen made, and tells what came of
// it.
func TestGoAt(t *testing.T) {
	for _, tt := range []struct {
		name, answer string
		ok           bool
	}{{"runs", "", true}, {"fails", failure, false}} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "go")
			l, err := Listen(path)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			word := make(chan error, 1)
			// goroutine: the test's stage; ends with the conversation.
			go func() {
				fd, _, err := unix.Accept(int(l.Fd()))
				if err != nil {
					word <- err
					return
				}
				b := make([]byte, 2)
				n, err := unix.Read(fd, b)
				if err == nil && n != 1 {
					err = fmt.Errorf("%d bytes", n)
				}
				if err == nil {
					_, err = unix.Write(fd, []byte(tt.answer))
				}
				word <- errors.Join(err, unix.Close(fd))
			}()
			err = GoAt(path, time.Now().Add(time.Minute))
			var failed *kernel.StepError
			if tt.ok != (err == nil) || !tt.ok && !errors.As(err, &failed) {
				t.Errorf("GoAt: %v", err)
			}
			if err := <-word; err != nil {
				t.Errorf("the stage: %v", err)
			}
		})
	}
}

// A stage that has gone leaves the socket's name.
func TestGoAt_NobodyListens(t *testing.T) {
	path := filepath.Join(t.TempDir(), "go")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(path); !errors.Is(err, unix.EADDRINUSE) {
		t.Errorf("a second socket of the name: %v", err)
	}
	l.Close()
	if err := GoAt(path, time.Now().Add(time.Minute)); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("GoAt: %v, want ECONNREFUSED", err)
	}
}
