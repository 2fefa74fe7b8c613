package kernel

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
)

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

// MountAt is [Mount] on a name in an open folder, or with the name "." on that folder
// itself, wherever it is and whatever has become of the path that led to it: a child
// process goes there. A link of that name is followed.
//
// Source: fchdir(2), nmount(2); vn_path_to_global_path in sys/kern/vfs_cache.c, which
// finds the absolute path that the mount gets.
func MountAt(fstype string, dir *os.File, name string, options []MountOption, flags int) error {
	object := fmt.Sprintf("%s on %q in %q", fstype, name, dir.Name())
	params, err := mountParams(fstype, name, options)
	if err != nil {
		return err
	}
	if name == "" || strings.Contains(name, "/") {
		return newError("nmount", object, syscall.EINVAL)
	}
	answer, control, err := os.Pipe()
	if err != nil {
		return err
	}
	defer answer.Close()
	defer control.Close()
	s := new(Script)
	s.Descriptors([]int{int(dir.Fd()), int(control.Fd())}, 2)
	s.Mount(0, params, flags)
	s.Ready()
	pid, err := s.Fork()
	if err != nil {
		return err
	}
	if err := control.Close(); err != nil {
		return err
	}
	err = ReadAnswer(answer)
	awaitChild(pid)
	var failed *StepError
	if errors.As(err, &failed) {
		return &Error{Op: "nmount", Object: object, Errno: failed.Errno, Detail: failed.detail}
	}
	if err != nil {
		return fmt.Errorf("nmount %s: its process, %d: %w", object, pid, err)
	}
	return nil
}

// awaitChild waits for a child whose status nobody needs, and which somebody else may
// have reaped.
func awaitChild(pid int) {
	for {
		if _, err := syscall.Wait4(pid, nil, 0, nil); !errors.Is(err, syscall.EINTR) {
			return
		}
	}
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

// MountOfFile returns the mount that holds what is open under a descriptor.
func MountOfFile(fd int) (MountInfo, error) {
	buf := make([]byte, statfsSize)
	if err := fstatfs(fd, buf); err != nil {
		return MountInfo{}, err
	}
	return decodeMount(buf)
}
