package zfs

import (
	"context"
	"strings"

	"github.com/containerd/containerd/v2/core/mount"
)

// Mounter mounts file systems on this machine. Methods may be called concurrently.
type Mounter interface {
	// List lists what is mounted, oldest first. It asks no file system.
	List() ([]Mounted, error)

	// Mount mounts a file system or a snapshot of ZFS's on an existing folder.
	// FailedPrecondition: it is mounted already, and can be only once.
	Mount(ctx context.Context, source, target string) error

	// Unmount unmounts what Mount mounted. FailedPrecondition: it is in use.
	Unmount(ctx context.Context, target string) error

	// Direct returns the mount that containerd is to make of a file system, if it can.
	Direct(source string) (m mount.Mount, ok bool)

	// Show returns the mount that containerd is to make to show a folder elsewhere.
	Show(folder string, readonly bool) mount.Mount

	// Files counts the inodes in use of what is mounted on a folder.
	Files(folder string) (uint64, error)
}

// Mounted is something that is mounted.
type Mounted struct {
	Source string // the dataset or snapshot; "" if it is not ZFS
	Folder string // the folder that it shows; "" if it is not nullfs
	Target string // where
}

// findMounted returns where a dataset or snapshot is mounted first.
func findMounted(list []Mounted, source string) (target string, ok bool) {
	for _, m := range list {
		if m.Source == source {
			return m.Target, true
		}
	}
	return "", false
}

// users counts the mounts of others that show a dataset or snapshot, which we have
// mounted on target or not.
func users(list []Mounted, source, target string) int {
	n := 0
	for _, m := range list {
		if m.Source == source && m.Target != target || within(m.Folder, target) || m.Target != target && within(m.Target, target) {
			n++
		}
	}
	return n
}

// within tells whether a path is a folder or something in it.
func within(path, folder string) bool {
	return folder != "" && (path == folder || strings.HasPrefix(path, folder+"/"))
}
