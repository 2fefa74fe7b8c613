package netsetup

import (
	"context"
	"errors"
	"time"
)

// undoTimeout bounds the undoing of what failed.
const undoTimeout = 20 * time.Second

// undo is what reverses the steps made so far, in their order.
type undo []func(ctx context.Context) error

func (u *undo) add(step func(ctx context.Context) error) { *u = append(*u, step) }

// run reverses all steps, the last one first, and returns err with what went wrong. It
// goes on when ctx has ended.
func (u undo) run(ctx context.Context, err error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	errs := []error{err}
	for i := len(u) - 1; i >= 0; i-- {
		errs = append(errs, u[i](ctx))
	}
	return errors.Join(errs...)
}
