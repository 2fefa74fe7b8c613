package link

import (
	"errors"
	"fmt"
	"syscall"
)

// ErrUnsupported is what calls return on a system other than FreeBSD. It wraps
// [errors.ErrUnsupported].
var ErrUnsupported = fmt.Errorf("networks of jails need FreeBSD: %w", errors.ErrUnsupported)

// ErrLayout is wrapped by decoders that got data of another size or version than the
// structures they know: a kernel newer than this program, or a truncated buffer.
var ErrLayout = errors.New("kernel data of an unknown layout")

// Error is a call that the kernel refused.
type Error struct {
	What  string // Call.What
	Errno syscall.Errno
}

// Error returns what was to be done, and the errno.
func (e *Error) Error() string { return e.What + ": " + e.Errno.Error() }

// Unwrap returns the errno, for errors.Is.
func (e *Error) Unwrap() error { return e.Errno }
