package ipfw

import (
	"errors"
	"fmt"

	"jailshim/jailctl/kernel"
)

// ErrUnsupported is what the calls of this package return on a system other than
// FreeBSD. It wraps [errors.ErrUnsupported].
var ErrUnsupported = fmt.Errorf("ipfw needs FreeBSD: %w", errors.ErrUnsupported)

// ErrNotLoaded means that the module ipfw, or for its NAT ipfw_nat, is not loaded.
var ErrNotLoaded = errors.New("the module is not loaded")

// ErrOld means a kernel whose ipfw takes an older form of messages.
var ErrOld = fmt.Errorf("ipfw before FreeBSD 15.0 takes other messages: use pf: %w", errors.ErrUnsupported)

// Error is a failed message to ipfw: Op is IP_FW_XADD, …, Object a table or an instance.
type Error = kernel.Error
