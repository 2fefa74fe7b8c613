package zfs

import (
	"context"
	"errors"
	"fmt"

	"github.com/containerd/containerd/v2/core/mount"
	"github.com/containerd/errdefs"
	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// NewMounter returns the mounter of this system.
func NewMounter() (Mounter, error) { return linuxMounter{}, nil }

// linuxMounter mounts OpenZFS. Several mounts of one file system are no matter there.
type linuxMounter struct{}

func (linuxMounter) List() ([]Mounted, error) {
	infos, err := mountinfo.GetMounts(nil)
	if err != nil {
		return nil, fmt.Errorf("list mounts: %w", err)
	}
	list := make([]Mounted, 0, len(infos))
	for _, i := range infos {
		m := Mounted{Target: i.Mountpoint}
		if i.FSType == "zfs" || i.FSType == "fuse.zfs" {
			m.Source = i.Source
		}
		list = append(list, m)
	}
	return list, nil
}

func (linuxMounter) Mount(_ context.Context, source, target string) error {
	err := unix.Mount(source, target, "zfs", 0, "")
	if errors.Is(err, unix.EBUSY) {
		return fmt.Errorf("mount %q on %q: %w: %w", source, target, errdefs.ErrFailedPrecondition, err)
	}
	if err != nil {
		return fmt.Errorf("mount %q on %q: %w", source, target, err)
	}
	return nil
}

func (linuxMounter) Unmount(_ context.Context, target string) error {
	err := unix.Unmount(target, unix.UMOUNT_NOFOLLOW)
	if errors.Is(err, unix.EBUSY) {
		return fmt.Errorf("unmount %q: %w: %w", target, errdefs.ErrFailedPrecondition, err)
	}
	if err != nil {
		return fmt.Errorf("unmount %q: %w", target, err)
	}
	return nil
}

func (linuxMounter) Direct(source string) (mount.Mount, bool) {
	return mount.Mount{Type: "zfs", Source: source}, true
}

func (linuxMounter) Show(folder string, readonly bool) mount.Mount {
	m := mount.Mount{Type: "bind", Source: folder, Options: []string{"rbind", "rw"}}
	if readonly {
		m.Options[1] = "ro"
	}
	return m
}

func (linuxMounter) Files(folder string) (uint64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(folder, &st); err != nil {
		return 0, fmt.Errorf("statfs %q: %w", folder, err)
	}
	return st.Files - st.Ffree, nil
}
