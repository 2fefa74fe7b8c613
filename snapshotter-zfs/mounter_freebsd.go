package zfs

import (
	"context"
	"errors"
	"fmt"

	"github.com/containerd/containerd/v2/core/mount"
	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"

	"jailshim/jailctl/kernel"
)

// NewMounter returns the mounter of this system.
func NewMounter() (Mounter, error) { return freebsdMounter{}, nil }

type freebsdMounter struct{}

func (freebsdMounter) List() ([]Mounted, error) {
	mounts, err := kernel.Mounts()
	if err != nil {
		return nil, err
	}
	list := make([]Mounted, 0, len(mounts))
	for _, m := range mounts {
		switch m.Type {
		case "zfs":
			list = append(list, Mounted{Source: m.From, Target: m.On})
		case "nullfs":
			list = append(list, Mounted{Folder: m.From, Target: m.On})
		default:
			list = append(list, Mounted{Target: m.On})
		}
	}
	return list, nil
}

func (freebsdMounter) Mount(_ context.Context, source, target string) error {
	options := []kernel.MountOption{{Name: "from", Value: source, HasValue: true}}
	err := kernel.Mount("zfs", target, options, 0)
	if errors.Is(err, unix.EBUSY) {
		return fmt.Errorf("%w: %w", errdefs.ErrFailedPrecondition, err)
	}
	return err
}

func (freebsdMounter) Unmount(_ context.Context, target string) error {
	err := kernel.Unmount(target, false)
	if errors.Is(err, unix.EBUSY) {
		return fmt.Errorf("%w: %w", errdefs.ErrFailedPrecondition, err)
	}
	return err
}

func (freebsdMounter) Direct(source string) (mount.Mount, bool) {
	return mount.Mount{Type: "zfs", Source: source}, true
}

func (freebsdMounter) Show(folder string, readonly bool) mount.Mount {
	m := mount.Mount{Type: "nullfs", Source: folder}
	if readonly {
		m.Options = []string{"ro"}
	}
	return m
}

func (freebsdMounter) Files(folder string) (uint64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(folder, &st); err != nil {
		return 0, fmt.Errorf("statfs %q: %w", folder, err)
	}
	return st.Files - uint64(max(st.Ffree, 0)), nil
}
