package stage

import (
	"encoding/json"
	"fmt"
	"io"
	"syscall"
)

// Config tells a stage which process to become.
type Config struct {
	// JID is the jail to attach to. Where jails have descriptors, one comes
	// with the Config and is used instead.
	JID int
	// Loopback asks for lo0 in the jail's own network.
	Loopback bool
	// Run asks to go on at once, without waiting for Go.
	Run bool
	// Listen is the number of the descriptor on which Go arrives; 0 for the
	// socket pair.
	Listen int

	Args       []string // at least one; the program is looked up in PATH of Env
	Env        []string
	Cwd        string // absolute, in the jail
	UID, GID   int
	Groups     []int
	Umask      *uint32
	Rlimits    []Rlimit
	NoNewPrivs bool
	LoginClass string // empty: keep
	// Keep is how many descriptors above the three streams stay open for the
	// program.
	Keep int
	// Hooks run in the jail right before the program.
	Hooks []Hook
}

// Rlimit is a resource limit by its number in sys/resource.h.
type Rlimit struct {
	Resource   int
	Soft, Hard uint64 // ^uint64(0) is no limit
}

// Hook is a program that runs in the jail and reads State.
type Hook struct {
	Path      string
	Args, Env []string
	Seconds   int // 0: no timeout
	State     []byte
}

// Reply is what a stage answers: it went well, or Step failed.
type Reply struct {
	Step    string        // what failed; empty if nothing did
	Errno   syscall.Errno // 0 if it was not a system call's
	Text    string
	Missing bool // the program, or its folder, does not exist or can't be run
}

// Error is a Reply that tells of a failure.
type Error struct{ Reply }

func (e *Error) Error() string { return e.Step + ": " + e.Text }

// Unwrap returns the system call's error, if it was one.
func (e *Error) Unwrap() error {
	if e.Errno == 0 {
		return nil
	}
	return e.Errno
}

// message limits what a stage or its runtime reads at once: a Config holds a
// whole environment and hook states.
const maxMessage = 4 << 20

// writeMessage writes v as JSON after its length in four bytes.
func writeMessage(w io.Writer, v any) error {
	b, err := encodeMessage(v)
	if err != nil {
		return err
	}
	_, err = w.Write(b)
	return err
}

func encodeMessage(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	if len(b) > maxMessage {
		return nil, fmt.Errorf("message of %d bytes: more than %d", len(b), maxMessage)
	}
	n := len(b)
	return append([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}, b...), nil
}

// readMessage reads what writeMessage wrote. At the end of the stream it returns
// io.EOF.
func readMessage(r io.Reader, v any) error {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	n := int(head[0])<<24 | int(head[1])<<16 | int(head[2])<<8 | int(head[3])
	if n > maxMessage {
		return fmt.Errorf("message of %d bytes: more than %d", n, maxMessage)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		return fmt.Errorf("message of %d bytes: %w", n, io.ErrUnexpectedEOF)
	}
	return json.Unmarshal(b, v)
}
