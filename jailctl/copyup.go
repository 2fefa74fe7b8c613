package jailctl

import (
	"errors"
	"fmt"
	"os"

	fscopy "github.com/containerd/continuity/fs"
)

// copyUp keeps what is in a folder when something is mounted on it: the content
// goes aside, and back onto the mount.
func copyUp(target string, mount func() error) error {
	tmp, err := os.MkdirTemp("", "jailshim-copyup-")
	if err != nil {
		return err
	}
	err = fscopy.CopyDir(tmp, target)
	if err == nil {
		err = mount()
	}
	if err == nil {
		err = fscopy.CopyDir(target, tmp)
	}
	if err := errors.Join(err, os.RemoveAll(tmp)); err != nil {
		return fmt.Errorf("copy %s onto its mount: %w", target, err)
	}
	return nil
}
