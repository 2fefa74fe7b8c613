package task

import "errors"

// undo is a stack of what takes back the steps of a call. The last step is taken
// back first, all are tried, and the errors are joined.
type undo []func() error

func (u *undo) push(f func() error) { *u = append(*u, f) }

// run takes everything back, and returns the errors.
func (u *undo) run() error {
	var errs []error
	for i := len(*u) - 1; i >= 0; i-- {
		errs = append(errs, (*u)[i]())
	}
	*u = nil
	return errors.Join(errs...)
}
