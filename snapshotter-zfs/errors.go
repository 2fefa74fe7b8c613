package zfs

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/containerd/errdefs"
)

func errExists(key string) error {
	return fmt.Errorf("snapshot %q: %w", key, errdefs.ErrAlreadyExists)
}

func errMissing(key string) error {
	return fmt.Errorf("snapshot %q: %w", key, errdefs.ErrNotFound)
}

// isFull tells whether an error says that there is no space.
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// errNotOurs refuses a dataset without our mark.
func errNotOurs(dataset string) error {
	return fmt.Errorf("dataset %q is not marked as a root of this snapshotter, which would destroy things in it; make one for it with %q: %w",
		dataset, createCommand(dataset), errdefs.ErrFailedPrecondition)
}

// createCommand is the command that makes a root.
func createCommand(dataset string) string {
	return "zfs create -o mountpoint=none -o atime=off -o compression=lz4 -o " + MarkRoot + "=" + MarkValue + " " + dataset
}

// errLayerExists says that a layer needn't be unpacked.
var errLayerExists = fmt.Errorf("is there already: %w", errdefs.ErrAlreadyExists)
