package stdio

import (
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/containerd/errdefs"
)

// Config names the streams of a process as the client does.
type Config struct {
	Namespace string // for loggers
	Container string // for loggers
	Stdin     string // fifo; empty is /dev/null
	Stdout    string // fifo, fifo://, file://, binary:// or binary-v2:// URI; empty is /dev/null
	Stderr    string // fifo; empty is /dev/null; with file and binary the scheme of Stdout rules
	Terminal  bool   // one terminal for all three; Stderr is unused
}

// kind is where output goes.
type kind int

const (
	kindFifo     kind = iota // a path per stream, or nothing
	kindFile                 // one file for both streams
	kindBinary               // one logger for both streams, ready when it closes its descriptor
	kindBinaryV2             // the same, ready when it writes a byte
)

// target is a parsed Config.
type target struct {
	kind   kind
	stdin  string // path or empty
	stdout string // path, or empty (kindFifo only)
	stderr string // path, or empty (kindFifo only)
	args   []string
}

// Validate returns an error wrapping errdefs.ErrInvalidArgument that names the
// stream if Open would not understand c. It touches nothing.
func (c *Config) Validate() error {
	_, err := c.parse()
	return err
}

func (c *Config) parse() (*target, error) {
	var t target
	var err error
	if t.stdin, err = fifoPath("stdin", c.Stdin); err != nil {
		return nil, err
	}
	scheme, _, hasScheme := strings.Cut(c.Stdout, "://")
	if !hasScheme || scheme == "fifo" {
		if t.stdout, err = fifoPath("stdout", c.Stdout); err != nil {
			return nil, err
		}
		if c.Terminal {
			return &t, nil
		}
		t.stderr, err = fifoPath("stderr", c.Stderr)
		return &t, err
	}
	u, err := url.Parse(c.Stdout)
	if err != nil {
		return nil, fmt.Errorf("stdout %q: %w: %w", c.Stdout, errdefs.ErrInvalidArgument, err)
	}
	switch u.Scheme {
	case "file":
		t.kind = kindFile
	case "binary":
		t.kind = kindBinary
	case "binary-v2":
		t.kind = kindBinaryV2
	default:
		return nil, fmt.Errorf("stdout %q: unknown scheme %q; known are fifo, file, binary and binary-v2: %w", c.Stdout, u.Scheme, errdefs.ErrInvalidArgument)
	}
	if t.stdout, err = absolute("stdout", c.Stdout, u.Path); err != nil {
		return nil, err
	}
	if t.kind != kindFile {
		t.args = loggerArgs(u.RawQuery)
	}
	return &t, nil
}

// fifoPath returns the path in s: a plain one or a fifo:// URI. Empty stays empty.
func fifoPath(stream, s string) (string, error) {
	if s == "" {
		return "", nil
	}
	scheme, rest, ok := strings.Cut(s, "://")
	switch {
	case !ok:
		return absolute(stream, s, s)
	case scheme == "fifo":
		return absolute(stream, s, rest)
	}
	return "", fmt.Errorf("%s %q: unknown scheme %q; known is fifo: %w", stream, s, scheme, errdefs.ErrInvalidArgument)
}

func absolute(stream, s, path string) (string, error) {
	if !filepath.IsAbs(path) || strings.ContainsRune(path, 0) {
		return "", fmt.Errorf("%s %q: not an absolute path: %w", stream, s, errdefs.ErrInvalidArgument)
	}
	return path, nil
}

// loggerArgs turns a query into arguments as containerd does: each key once, then its
// first value, which is empty if it has none. What is malformed is left out. Keys keep the
// order in which they were written; containerd's is any.
func loggerArgs(query string) []string {
	values, _ := url.ParseQuery(query) // without what the error is about
	var args []string
	for pair := range strings.SplitSeq(query, "&") {
		written, _, _ := strings.Cut(pair, "=")
		key, err := url.QueryUnescape(written)
		if err != nil || !values.Has(key) {
			continue
		}
		args = append(args, key, values.Get(key))
		delete(values, key)
	}
	return args
}
