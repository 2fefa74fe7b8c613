package e2e

import (
	"bytes"
	"io"
	"strconv"
	"testing"
	"time"

	"github.com/containerd/containerd/v2/pkg/cio"

	"jailshim/test/e2e/testbed"
	"jailshim/test/guest/pattern"
)

// much is more output than all pipes and buffers on its way hold.
const much = 10_000_000

// expectPattern fails the test unless out holds the first n bytes of the test
// pattern. A terminal has put a carriage return before each newline.
func expectPattern(t *testing.T, what string, out []byte, n int64, terminal bool) {
	t.Helper()
	if terminal {
		out = bytes.ReplaceAll(out, []byte("\r\n"), []byte("\n"))
	}
	if err := pattern.Check(bytes.NewReader(out), n); err != nil {
		t.Errorf("%s: %v", what, err)
	}
}

// TestE2E_Output_TenMegabytes_Complete: a build log or a dump with a hole in it
// or without its end is worthless, and nobody is told.
func TestE2E_Output_TenMegabytes_Complete(t *testing.T) {
	for _, terminal := range []bool{false, true} {
		name, args := "pipes", []string{"bytes", strconv.Itoa(much), "both"}
		var opts []testbed.ProcessOption
		if terminal {
			name, args, opts = "terminal", args[:2], append(opts, testbed.Terminal())
		}
		opts = append(opts, testbed.Args(args...))
		expect := func(t *testing.T, p *testbed.Process) {
			t.Helper()
			if code := p.Exited(t); code != 0 {
				t.Errorf("exit status %d, stderr ends in %q", code, p.Err.Bytes()[max(0, p.Err.Len()-200):])
			}
			expectPattern(t, "stdout", p.Out.Bytes(), much, terminal)
			if !terminal {
				expectPattern(t, "stderr", p.Err.Bytes(), much, false)
			}
		}
		t.Run("init-"+name, func(t *testing.T) {
			expect(t, space(t).Run(t, opts...).Process)
		})
		t.Run("exec-"+name, func(t *testing.T) {
			p := space(t).Run(t).Exec(t, "x", opts...)
			p.Start(t)
			expect(t, p)
		})
	}
}

// pausingWriter takes its time in the middle of the output.
type pausingWriter struct {
	io.Writer
	after int // bytes
}

func (w *pausingWriter) Write(p []byte) (int, error) {
	if w.after -= len(p); w.after < 0 {
		w.after = much // once
		<-time.After(3 * time.Second)
	}
	return w.Writer.Write(p)
}

// TestE2E_Output_ReaderPauses_NothingLost: a client on a slow link stops reading
// for a while; the output must wait for it, not be thrown away.
func TestE2E_Output_ReaderPauses_NothingLost(t *testing.T) {
	s := space(t)
	const n = 2_000_000
	out := testbed.NewOutput("stdout")
	c := s.Run(t, testbed.Args("bytes", strconv.Itoa(n)),
		testbed.IO(cio.NewCreator(cio.WithFIFODir(s.Dir), cio.WithStreams(nil, &pausingWriter{out, n / 2}, io.Discard))))
	if code := c.Exited(t); code != 0 {
		t.Errorf("exit status %d", code)
	}
	expectPattern(t, "stdout", out.Bytes(), n, false)
}

// TestE2E_Output_NoStreams_WrittenToNowhere: a container whose output nobody
// asked for must neither block on it nor die of it.
func TestE2E_Output_NoStreams_WrittenToNowhere(t *testing.T) {
	s := space(t)
	c := s.Run(t, testbed.Args("bytes", strconv.Itoa(much), "both"), testbed.IO(cio.NullIO))
	if code := c.Exited(t); code != 0 {
		t.Errorf("exit status %d", code)
	}
}

// TestE2E_Output_OneStreamOnly_TheOtherWrittenToNowhere: clients may ask for
// stdout without stderr, or the other way round.
func TestE2E_Output_OneStreamOnly_TheOtherWrittenToNowhere(t *testing.T) {
	// Containerd's shim opens both or none.
	testbed.Require(t, testbed.OurShim)
	const n = 1_000_000
	for stream, streams := range map[string]func(io.Writer) cio.Opt{
		"stdout": func(w io.Writer) cio.Opt { return cio.WithStreams(nil, w, nil) },
		"stderr": func(w io.Writer) cio.Opt { return cio.WithStreams(nil, nil, w) },
	} {
		t.Run(stream, func(t *testing.T) {
			s, out := space(t), testbed.NewOutput(stream)
			c := s.Run(t, testbed.Args("bytes", strconv.Itoa(n), "both"),
				testbed.IO(cio.NewCreator(cio.WithFIFODir(s.Dir), streams(out))))
			if code := c.Exited(t); code != 0 {
				t.Errorf("exit status %d", code)
			}
			expectPattern(t, stream, out.Bytes(), n, false)
		})
	}
}
