package netsetup

import (
	"errors"
	"fmt"
	"syscall"
)

// ErrUnsupported is what the calls of this package return on a system other than
// FreeBSD. It wraps [errors.ErrUnsupported].
var ErrUnsupported = fmt.Errorf("networks of jails need FreeBSD: %w", errors.ErrUnsupported)

// Error is a failed system call.
type Error struct {
	Op     string // the call: SIOCAIFADDR, …
	Object string // what it was about, such as an interface
	Errno  syscall.Errno
	Detail string // more of the cause; may be empty
}

// Error returns call, object, detail and the errno, in this order.
func (e *Error) Error() string {
	s := e.Op
	if e.Object != "" {
		s += " " + e.Object
	}
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	return s + ": " + e.Errno.Error()
}

// Unwrap returns the errno, for errors.Is.
func (e *Error) Unwrap() error { return e.Errno }
