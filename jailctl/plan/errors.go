package plan

import (
	"fmt"

	"github.com/containerd/errdefs"
)

// invalid is an error about a field or annotation: its path, then what is wrong.
func invalid(field, format string, args ...any) error {
	return fmt.Errorf("%s: %s: %w", field, fmt.Sprintf(format, args...), errdefs.ErrInvalidArgument)
}
