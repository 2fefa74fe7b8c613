package kernel

import "fmt"

// Mount mounts a file system of a type on target, a path that is resolved through
// symbolic links. Flags are the Mount… constants. The kernel loads the module of
// an unknown type.
//
// The kernel's text says what was wrong for some errors. EINVAL: an option or the
// type is unknown, or a file system that can't do what is asked. ENOENT: the
// target or the source is missing. EDEADLK: nullfs on what it shows already. EBUSY:
// mounted. EOPNOTSUPP: the file system can't be updated.
//
// Source: nmount(2), vfs_donmount in sys/kern/vfs_mount.c. Needs root.
func Mount(fstype, target string, options []MountOption, flags int) error {
	params, err := mountParams(fstype, target, options)
	if err != nil {
		return err
	}
	return nmount(fmt.Sprintf("%s on %q", fstype, target), params, flags)
}

// Unmount unmounts the newest file system on target. With force, open files don't
// keep it. EINVAL: nothing is mounted there. EBUSY: it is in use; even with force
// while another file system is mounted in it or shows it.
//
// Source: unmount(2), kern_unmount in sys/kern/vfs_mount.c. Needs root.
func Unmount(target string, force bool) error {
	return unmount(target, unmountFlags(force))
}

// UnmountID unmounts a file system wherever it is mounted, also below another one.
// ENOENT: it is not mounted any more. Otherwise as [Unmount].
func UnmountID(id FSID, force bool) error {
	return unmount(id.String(), unmountFlags(force)|mountByFSID)
}

func unmountFlags(force bool) int {
	if force {
		return MountForce
	}
	return 0
}

// mountsSlack is how many more mounts Mounts leaves room for than there were when
// it asked.
const mountsSlack = 16

// Mounts lists the mounted file systems, oldest first, as far as the calling
// process may see them. It asks no file system, so it does not block.
func Mounts() ([]MountInfo, error) {
	n, err := getfsstat(nil, mountNoWait)
	if err != nil {
		return nil, err
	}
	var all []MountInfo
	for full := true; full && err == nil; {
		err = withTable((n+mountsSlack)*statfsSize, func(room []byte) ([]byte, error) {
			buf := room[:len(room)/statfsSize*statfsSize]
			if n, err = getfsstat(buf, mountNoWait); err != nil {
				return room, err
			}
			// A full buffer may have left some out.
			if full = n*statfsSize == len(buf); !full {
				all, err = DecodeMounts(buf[:n*statfsSize])
			}
			return room, err
		})
	}
	return all, err
}

// MountOf returns the mount that holds path, resolved through symbolic links.
func MountOf(path string) (MountInfo, error) {
	buf := make([]byte, statfsSize)
	if err := statfsOf(path, buf); err != nil {
		return MountInfo{}, err
	}
	return decodeMount(buf)
}
