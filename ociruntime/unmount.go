package ociruntime

import (
	"fmt"
	"path/filepath"

	"github.com/containerd/containerd/v2/core/mount"
)

// unmountRoot unmounts the root file system of a container that has been removed.
func unmountRoot(bundle string) error {
	if err := mount.UnmountRecursive(filepath.Join(bundle, rootfsDir), unmountFlags); err != nil {
		return fmt.Errorf("unmount the root file system: %w", err)
	}
	return nil
}
