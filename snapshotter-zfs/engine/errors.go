package engine

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"syscall"

	"github.com/containerd/errdefs"
)

// Error is a failed operation. It wraps its class, a sentinel of errdefs, and its
// errno, if there is one.
type Error struct {
	Op     string        // the method, in lower case: "create", "clone", …
	Object string        // the dataset or snapshot; of Snapshot with several names, those at fault
	Errno  syscall.Errno // ZFS's answer; 0 if it gave none (the command engine knows only texts)
	Detail string        // what ZFS said beyond that, or what to do; may be empty
	Class  error         // errdefs.ErrNotFound, …
}

// NewError makes an error of the class that [Class] finds.
func NewError(op, object string, errno syscall.Errno, detail string) *Error {
	return &Error{Op: op, Object: object, Errno: errno, Detail: detail, Class: Class(op, errno)}
}

// Error returns operation, object, ZFS's text and the errno's, in this order.
func (e *Error) Error() string {
	parts := []string{e.Op}
	if e.Object != "" {
		parts[0] += " " + strconv.Quote(e.Object)
	}
	if e.Detail != "" {
		parts = append(parts, e.Detail)
	}
	switch {
	case e.Errno != 0:
		parts = append(parts, errnoText(e.Errno))
	case e.Detail == "" && e.Class != nil:
		parts = append(parts, e.Class.Error())
	}
	return strings.Join(parts, ": ")
}

// Unwrap returns class and errno, for errors.Is.
func (e *Error) Unwrap() []error {
	var errs []error
	if e.Class != nil {
		errs = append(errs, e.Class)
	}
	if e.Errno != 0 {
		errs = append(errs, e.Errno)
	}
	return errs
}

// BatchError tells which names of a Destroy could not be destroyed, in the order in
// which they were given. All others are gone (or deferred).
type BatchError struct {
	Failed []*Error
}

// Error returns the first failure and how many more there are.
func (e *BatchError) Error() string {
	if len(e.Failed) == 1 {
		return e.Failed[0].Error()
	}
	return fmt.Sprintf("%v (and %d more)", e.Failed[0], len(e.Failed)-1)
}

// Unwrap returns all failures.
func (e *BatchError) Unwrap() []error {
	errs := make([]error, 0, len(e.Failed))
	for _, f := range e.Failed {
		errs = append(errs, f)
	}
	return errs
}

// Batch is the error of a Destroy of names that failed for some: nil, an [*Error] if
// there was only one name, else a [*BatchError].
func Batch(names []string, failed []*Error) error {
	switch {
	case len(failed) == 0:
		return nil
	case len(names) == 1:
		return failed[0]
	default:
		return &BatchError{Failed: failed}
	}
}

// Class finds the class of an errno of ZFS's. One errno can mean two things: EEXIST is
// what a clone gets whose name is taken, and the removal of what something depends on.
func Class(op string, errno syscall.Errno) error {
	switch errno {
	case syscall.EEXIST:
		if op == OpCreate || op == OpClone || op == OpSnapshot {
			return errdefs.ErrAlreadyExists
		}
		return errdefs.ErrFailedPrecondition
	case syscall.ESRCH: // a rollback without a snapshot; the end of a list
		if op == OpRollback {
			return errdefs.ErrFailedPrecondition
		}
		return errdefs.ErrNotFound
	}
	for _, c := range classes {
		for _, e := range c.errnos {
			if e == errno {
				return c.class
			}
		}
	}
	return errdefs.ErrInternal
}

// The operations, as Error.Op names them.
const (
	OpOpen     = "open"
	OpCreate   = "create"
	OpClone    = "clone"
	OpSnapshot = "snapshot"
	OpDestroy  = "destroy"
	OpRollback = "rollback"
	OpSetProps = "set properties"
	OpGet      = "get"
	OpList     = "list"
)

var classes = []struct {
	class  error
	errnos []syscall.Errno
}{
	{errdefs.ErrNotFound, []syscall.Errno{syscall.ENOENT}},
	{errdefs.ErrFailedPrecondition, []syscall.Errno{syscall.EBUSY, syscall.ENOTEMPTY, syscall.EROFS, syscall.ECHILD, syscall.EBADF}},
	{errdefs.ErrResourceExhausted, []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.ENOMEM}},
	{errdefs.ErrUnavailable, []syscall.Errno{syscall.EAGAIN, syscall.ENXIO}},
	{errdefs.ErrPermissionDenied, []syscall.Errno{syscall.EPERM, syscall.EACCES}},
	{errdefs.ErrInvalidArgument, []syscall.Errno{syscall.EINVAL, syscall.ENAMETOOLONG, syscall.E2BIG, syscall.EXDEV, syscall.EDOM, syscall.ERANGE, errWrongParent, errBadProp}},
	{errdefs.ErrNotImplemented, []syscall.Errno{syscall.ENOTSUP, syscall.EOPNOTSUPP, syscall.ENOSYS, syscall.ENOTTY, errCmdUnavail, errArgUnavail}},
}

// ErrUnsupported is what engines wrap that this system, or its ZFS, cannot have.
var ErrUnsupported = fmt.Errorf("this system's ZFS cannot be used: %w", errors.ErrUnsupported)
