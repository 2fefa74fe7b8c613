package task

import (
	"fmt"

	"github.com/containerd/containerd/v2/pkg/identifiers"
	"github.com/containerd/errdefs"
)

// validID returns an error wrapping errdefs.ErrInvalidArgument that names id if
// containerd would not have let it through.
func validID(what, id string) error {
	if err := identifiers.Validate(id); err != nil {
		return fmt.Errorf("%s %q: %w", what, id, err)
	}
	return nil
}

func notFound(what, id string) error {
	return fmt.Errorf("%s %q: %w", what, id, errdefs.ErrNotFound)
}
