package testbed

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
)

// Output collects what a process writes. It is an io.Writer that never blocks.
type Output struct {
	name string

	mu  sync.Mutex // guards the field below
	buf bytes.Buffer
}

// NewOutput returns an empty output; name is for messages.
func NewOutput(name string) *Output { return &Output{name: name} }

// Write implements io.Writer.
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

// String returns what was written so far.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// Bytes returns a copy of what was written so far.
func (o *Output) Bytes() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	return bytes.Clone(o.buf.Bytes())
}

// Len returns how much was written so far.
func (o *Output) Len() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Len()
}

// Await waits until the output contains text.
func (o *Output) Await(tb testing.TB, text string) {
	tb.Helper()
	Until(tb, fmt.Sprintf("%q on %s", text, o.name), func() error {
		if s := o.String(); !strings.Contains(s, text) {
			return fmt.Errorf("the output is %q", tail(s, 500))
		}
		return nil
	})
}

// tail returns the last n bytes of s, marked if that is not all.
func tail(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return "…" + s[len(s)-n:]
}
