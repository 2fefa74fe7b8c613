package kernel

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
)

// ErrUnsupported is what every call of this package returns on a system other
// than FreeBSD. It wraps [errors.ErrUnsupported].
var ErrUnsupported = fmt.Errorf("jails need FreeBSD: %w", errors.ErrUnsupported)

// ErrLayout is wrapped by decoders that got data of another size or version
// than the structures they know: a kernel newer than this program, or a
// truncated buffer.
var ErrLayout = errors.New("kernel data of an unknown layout")

// Error is a failed system call.
type Error struct {
	Op     string // the call, as the kernel names it: jail_set, nmount, …
	Object string // what it was about, such as `jail "x"`; may be empty
	Errno  syscall.Errno
	Detail string // the kernel's own text (errmsg); often empty, see jail_set(2)
}

// Error returns call, object, the kernel's text and the errno, in this order.
func (e *Error) Error() string {
	parts := make([]string, 0, 3)
	if e.Object != "" {
		parts = append(parts, e.Op+" "+e.Object)
	} else {
		parts = append(parts, e.Op)
	}
	if e.Detail != "" {
		parts = append(parts, e.Detail)
	}
	return strings.Join(append(parts, e.Errno.Error()), ": ")
}

// Unwrap returns the errno, for errors.Is.
func (e *Error) Unwrap() error { return e.Errno }

// newError makes an *Error without a text of the kernel's.
func newError(op, object string, errno syscall.Errno) *Error {
	return &Error{Op: op, Object: object, Errno: errno}
}
