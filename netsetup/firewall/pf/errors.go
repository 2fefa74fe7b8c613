package pf

import (
	"errors"
	"fmt"

	"jailshim/jailctl/kernel"
)

// ErrUnsupported is what the calls of this package return on a system other than
// FreeBSD. It wraps [errors.ErrUnsupported].
var ErrUnsupported = fmt.Errorf("pf needs FreeBSD: %w", errors.ErrUnsupported)

// Error is a failed request to pf: Op is DIOCXBEGIN, …, Object an anchor or an address.
type Error = kernel.Error
