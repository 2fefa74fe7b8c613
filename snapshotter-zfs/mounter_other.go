//go:build !freebsd && !linux

package zfs

import (
	"fmt"

	"github.com/containerd/errdefs"
)

// NewMounter returns the mounter of this system.
func NewMounter() (Mounter, error) {
	return nil, fmt.Errorf("mounting ZFS is known on FreeBSD and Linux only: %w", errdefs.ErrNotImplemented)
}
