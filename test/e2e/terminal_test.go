package e2e

import (
	"io"
	"strings"
	"testing"

	"github.com/containerd/containerd/v2/pkg/oci"
	"golang.org/x/sys/unix"

	"jailshim/test/e2e/testbed"
)

// TestE2E_Terminal_AllStreams_AreOne: shells and editors ask whether they are on
// a terminal, on each of the three.
func TestE2E_Terminal_AllStreams_AreOne(t *testing.T) {
	s := space(t)
	const want = "stdin true\r\nstdout true\r\nstderr true\r\n"
	c := s.Run(t, testbed.Args("tty"), testbed.Terminal())
	if c.Exited(t); c.Out.String() != want {
		t.Errorf("init on a terminal says %q, want %q", c.Out, want)
	}
	c = s.Run(t)
	p := c.Exec(t, "x", testbed.Args("tty"), testbed.Terminal())
	p.Start(t)
	if p.Exited(t); p.Out.String() != want {
		t.Errorf("exec on a terminal says %q, want %q", p.Out, want)
	}
	if got := c.RunExec(t, "y", "tty"); got != "stdin false\nstdout false\nstderr false\n" {
		t.Errorf("exec without a terminal says %q", got)
	}
}

// TestE2E_Terminal_Resize_SeenBeforeAndAfterStart: a client tells the size
// between create and start, so that the first screen is drawn right, and again
// whenever the window changes.
func TestE2E_Terminal_Resize_SeenBeforeAndAfterStart(t *testing.T) {
	s := space(t)
	resize := func(t *testing.T, p *testbed.Process) {
		t.Helper()
		if err := p.Resize(s.Ctx, 132, 43); err != nil {
			t.Fatalf("resize before start: %v", err)
		}
		p.Start(t)
		p.Out.Await(t, "size 132x43\r\n")
		if err := p.Resize(s.Ctx, 80, 24); err != nil {
			t.Fatalf("resize: %v", err)
		}
		p.Out.Await(t, "size 80x24\r\n")
		p.Signal(t, unix.SIGTERM)
		if code := p.Exited(t); code != 0 {
			t.Errorf("exit status %d, output %q", code, p.Out)
		}
	}
	t.Run("init", func(t *testing.T) {
		resize(t, s.New(t, testbed.Args("winsize"), testbed.Terminal()).Create(t).Process)
	})
	t.Run("exec", func(t *testing.T) {
		// An exec of containerd's shim has no terminal before its start.
		testbed.Require(t, testbed.OurShim)
		resize(t, s.Run(t).Exec(t, "x", testbed.Args("winsize"), testbed.Terminal()))
	})
}

// TestE2E_Terminal_SizeInSpec_SetAtStart: a client without resize calls gives the
// size in the spec.
func TestE2E_Terminal_SizeInSpec_SetAtStart(t *testing.T) {
	s := space(t)
	c := s.Run(t, testbed.Args("winsize"), testbed.Terminal(), testbed.Spec(oci.WithTTYSize(100, 30)))
	c.Out.Await(t, "size 100x30\r\n")
}

// TestE2E_Terminal_ResizeWithoutOne_NoError: clients resize without asking what
// kind of streams there are.
func TestE2E_Terminal_ResizeWithoutOne_NoError(t *testing.T) {
	s := space(t)
	if err := s.Run(t).Resize(s.Ctx, 80, 24); err != nil {
		t.Error(err)
	}
}

// TestE2E_Terminal_EndOfFileTyped_EndsInput: Ctrl-D in an interactive shell.
func TestE2E_Terminal_EndOfFileTyped_EndsInput(t *testing.T) {
	s := space(t)
	keys, typist := io.Pipe()
	c := s.Run(t, testbed.Args("cat"), testbed.Terminal(), testbed.Stdin(keys))
	for _, typed := range []string{"hello\n", "\x04"} {
		if _, err := io.WriteString(typist, typed); err != nil {
			t.Fatal(err)
		}
	}
	if code := c.Exited(t); code != 0 {
		t.Errorf("exit status %d", code)
	}
	// The terminal's echo, then the program's answer. Some systems show what ends
	// the input, with the cursor back on it so that it is overwritten.
	if got, want := strings.Replace(c.Out.String(), "^D\b\b", "", 1), "hello\r\nhello\r\n"; got != want {
		t.Errorf("on the screen is %q, want %q", got, want)
	}
	if err := typist.Close(); err != nil {
		t.Error(err)
	}
}
