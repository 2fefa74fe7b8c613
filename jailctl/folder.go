package jailctl

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// folder is the descriptor of an open folder. Methods take one name in it, and follow no
// link of that name: so nothing outside is opened or changed, whatever others make of
// names meanwhile. Errors are an [*os.PathError].
//
// A container's start looks up a dozen names. An [os.Root] makes six system calls for one
// of them, and keeps account of each folder that it opens.
type folder int

// openFolder opens a folder by its path, in which links are followed.
func openFolder(path string) (folder, error) { return openFolderAt(unix.AT_FDCWD, path, 0) }

// folder opens a folder of the folder. The dot is the folder itself, or what has been
// mounted on it since it was opened.
func (d folder) folder(name string) (folder, error) {
	return openFolderAt(int(d), name, unix.O_NOFOLLOW)
}

func openFolderAt(at int, path string, flags int) (folder, error) {
	fd, err := openAt(at, path, unix.O_RDONLY|unix.O_DIRECTORY|flags, 0)
	return folder(fd), err
}

// below opens the folder at a path below this one.
func (d folder) below(path string) (folder, error) {
	at, err := d.folder(".")
	for _, name := range names(path) {
		if err != nil {
			return -1, err
		}
		up := at
		at, err = up.folder(name)
		up.Close()
	}
	return at, err
}

// file opens a file, or a folder to list it. It does not wait for the other end of a fifo.
func (d folder) file(name string, flags int, mode uint32) (*os.File, error) {
	fd, err := openAt(int(d), name, flags|unix.O_NOFOLLOW|unix.O_NONBLOCK, mode)
	if err != nil {
		return nil, err
	}
	// Package os would prepare to be woken for it.
	if err := unix.SetNonblock(fd, false); err != nil {
		return nil, errors.Join(&os.PathError{Op: "fcntl", Path: name, Err: err}, unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), name), nil
}

func openAt(at int, path string, flags int, mode uint32) (fd int, err error) {
	err = named("openat", path, func() (err error) {
		fd, err = unix.Openat(at, path, flags|unix.O_CLOEXEC, mode)
		return err
	})
	return fd, err
}

// named makes a call about one name, again if a signal has interrupted it.
func named(op, name string, call func() error) error {
	for {
		err := call()
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, unix.EINTR):
			return &os.PathError{Op: op, Path: name, Err: err}
		}
	}
}

// stat tells of the folder itself.
func (d folder) stat() (st unix.Stat_t, err error) {
	err = named("fstat", ".", func() error { return unix.Fstat(int(d), &st) })
	return st, err
}

// lstat tells of what has a name, also if it is a link.
func (d folder) lstat(name string) (st unix.Stat_t, err error) {
	err = named("fstatat", name, func() error { return unix.Fstatat(int(d), name, &st, unix.AT_SYMLINK_NOFOLLOW) })
	return st, err
}

// readlink returns where a link leads. EINVAL: it is none.
func (d folder) readlink(name string) (to string, err error) {
	b := make([]byte, unix.PathMax)
	err = named("readlinkat", name, func() error {
		n, err := unix.Readlinkat(int(d), name, b)
		to = string(b[:max(n, 0)])
		return err
	})
	return to, err
}

func (d folder) symlink(to, name string) error {
	return named("symlinkat", name, func() error { return unix.Symlinkat(to, int(d), name) })
}

// link gives a file that has a name in another folder one here.
func (d folder) link(from folder, old, name string) error {
	return named("linkat", name, func() error { return unix.Linkat(int(from), old, int(d), name, 0) })
}

// chown gives what has a name the owner of another file.
func (d folder) chown(name string, like *unix.Stat_t) error {
	return named("fchownat", name, func() error {
		return unix.Fchownat(int(d), name, int(like.Uid), int(like.Gid), unix.AT_SYMLINK_NOFOLLOW)
	})
}

// settime gives what has a name the times of another file.
func (d folder) settime(name string, like *unix.Stat_t) error {
	return named("utimensat", name, func() error {
		return unix.UtimesNanoAt(int(d), name, []unix.Timespec{like.Atim, like.Mtim}, unix.AT_SYMLINK_NOFOLLOW)
	})
}

func (d folder) mkdir(name string, mode uint32) error {
	return named("mkdirat", name, func() error { return unix.Mkdirat(int(d), name, mode) })
}

func (d folder) rename(old, name string) error {
	return named("renameat", old, func() error { return unix.Renameat(int(d), old, int(d), name) })
}

// remove removes a file; none is no error.
func (d folder) remove(name string) error {
	err := named("unlinkat", name, func() error { return unix.Unlinkat(int(d), name, 0) })
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	return err
}

// Close lets go of the folder.
func (d folder) Close() { _ = unix.Close(int(d)) }
