package ociruntime

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/containerd/containerd/v2/core/mount"
	"golang.org/x/sys/unix"
)

// unmountRoot unmounts the root file system of a container that has been removed.
func unmountRoot(bundle string) error {
	root := filepath.Join(bundle, rootfsDir)
	err := mount.UnmountRecursive(root, 0)
	if errors.Is(err, unix.EBUSY) && unmountAnyway != 0 {
		err = mount.UnmountRecursive(root, unmountAnyway)
	}
	if err != nil {
		return fmt.Errorf("unmount the root file system: %w", err)
	}
	return nil
}
