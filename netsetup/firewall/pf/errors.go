package pf

import (
	"errors"
	"fmt"
	"syscall"
)

// ErrUnsupported is what the calls of this package return on a system other than
// FreeBSD. It wraps [errors.ErrUnsupported].
var ErrUnsupported = fmt.Errorf("pf needs FreeBSD: %w", errors.ErrUnsupported)

// Error is a failed request to pf.
type Error struct {
	Op     string // DIOCXBEGIN, …
	Object string // an anchor or an address
	Errno  syscall.Errno
}

// Error returns request, object and the errno, in this order.
func (e *Error) Error() string {
	s := e.Op
	if e.Object != "" {
		s += " " + e.Object
	}
	return s + ": " + e.Errno.Error()
}

// Unwrap returns the errno, for errors.Is.
func (e *Error) Unwrap() error { return e.Errno }
