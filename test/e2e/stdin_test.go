package e2e

import (
	"bytes"
	"io"
	"testing"

	containerd "github.com/containerd/containerd/v2/client"

	"jailshim/test/e2e/testbed"
	"jailshim/test/guest/pattern"
)

// endingReader tells when its end was read.
type endingReader struct {
	io.Reader
	ended chan struct{} // gets a value then
}

func newEndingReader(r io.Reader) *endingReader {
	return &endingReader{Reader: r, ended: make(chan struct{}, 1)}
}

func (r *endingReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if err == io.EOF {
		select {
		case r.ended <- struct{}{}:
		default:
		}
	}
	return n, err
}

// TestE2E_Stdin_CloseIO_EndsIt: "echo data | ctr run … cat" ends when the client
// closes stdin, and not before, as the client may come back with more; no byte
// that was on its way may be lost.
func TestE2E_Stdin_CloseIO_EndsIt(t *testing.T) {
	const n = 2_000_000
	var data bytes.Buffer
	if err := pattern.Copy(&data, n); err != nil {
		t.Fatal(err)
	}
	expect := func(t *testing.T, s *testbed.Space, p *testbed.Process, in *endingReader) {
		t.Helper()
		// The client has written all; some of it is still on its way.
		testbed.Receive(t, "the end of the client's data", in.ended)
		for range 2 { // repeated: a client may not know that it was done
			if err := p.CloseIO(s.Ctx, containerd.WithStdinCloser); err != nil {
				t.Errorf("close stdin: %v", err)
			}
		}
		if code := p.Exited(t); code != 0 {
			t.Errorf("exit status %d, stderr %q", code, p.Err)
		}
		expectPattern(t, "what came back", p.Out.Bytes(), n, false)
	}
	t.Run("init", func(t *testing.T) {
		s, in := space(t), newEndingReader(bytes.NewReader(data.Bytes()))
		expect(t, s, s.Run(t, testbed.Args("cat"), testbed.Stdin(in)).Process, in)
	})
	t.Run("exec", func(t *testing.T) {
		s, in := space(t), newEndingReader(bytes.NewReader(data.Bytes()))
		p := s.Run(t).Exec(t, "x", testbed.Args("cat"), testbed.Stdin(in))
		p.Start(t)
		expect(t, s, p, in)
	})
}

// TestE2E_Stdin_ClientLeavesWithoutCloseIO_StaysOpen: a client that detaches and
// attaches again must find the program still reading.
func TestE2E_Stdin_ClientLeavesWithoutCloseIO_StaysOpen(t *testing.T) {
	s := space(t)
	c := s.Run(t, testbed.Args("cat"), testbed.Stdin(bytes.NewReader([]byte("one\n"))))
	c.Out.Await(t, "one\n") // by now the client has closed its end of the fifo, or is about to
	c.RunExec(t, "x", "true")
	c.ExpectStatus(t, containerd.Running)
	if err := c.CloseIO(s.Ctx, containerd.WithStdinCloser); err != nil {
		t.Fatal(err)
	}
	if code := c.Exited(t); code != 0 {
		t.Errorf("exit status %d", code)
	}
}

// TestE2E_Stdin_None_EmptyAndClosable: without a stdin programs must read its
// end, not wait for ever, and closing it is no error.
func TestE2E_Stdin_None_EmptyAndClosable(t *testing.T) {
	s := space(t)
	c := s.Run(t, testbed.Args("cat"))
	if code := c.Exited(t); code != 0 || c.Out.Len() != 0 {
		t.Errorf("exit status %d, output %q", code, c.Out)
	}
	idle := s.Run(t)
	if err := idle.CloseIO(s.Ctx, containerd.WithStdinCloser); err != nil {
		t.Errorf("close a stdin that isn't there: %v", err)
	}
}
