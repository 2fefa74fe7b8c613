// Package wholefile keeps small files that are replaced as a whole: whoever reads one
// sees what was there before or what has come, also when the writer was killed. They are
// not synced: a crash of the machine may leave an empty file. What is appended is there
// as a whole, too, or not yet.
//
// It makes the system calls by itself, four for a file. Package os makes six, and
// prepares for what such files never do.
package wholefile

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// Suffix ends the name under which a file is written, before it gets its own.
const Suffix = ".new"

// Write replaces the file at path, or makes it with the mode, less the umask. Two
// processes must not write the same one at the same time. Errors wrap an
// [*os.PathError] or [*os.LinkError]; the file is as it was then.
func Write(path string, contents []byte, mode os.FileMode) error {
	temp := path + Suffix
	if err := write(temp, contents, mode); err != nil {
		return errors.Join(err, unlink(temp))
	}
	if err := retry(func() error { return unix.Rename(temp, path) }); err != nil {
		return errors.Join(&os.LinkError{Op: "rename", Old: temp, New: path, Err: err}, unlink(temp))
	}
	return nil
}

// Append adds to the file at path, which must be there. It is one write(2), so that a
// reader sees all of it or nothing, unless there is no room for it. Errors wrap an
// [*os.PathError].
func Append(path string, contents []byte) error {
	var fd int
	err := retry(func() (err error) {
		fd, err = unix.Open(path, unix.O_WRONLY|unix.O_APPEND|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return &os.PathError{Op: "open", Path: path, Err: err}
	}
	return fill(fd, path, contents)
}

func write(path string, contents []byte, mode os.FileMode) error {
	fd, err := create(path, mode)
	if errors.Is(err, unix.EEXIST) {
		// What a write that was killed has left, or a link to somewhere else
		// that another user has put into a folder of theirs.
		if err := unlink(path); err != nil {
			return err
		}
		fd, err = create(path, mode)
	}
	if err != nil {
		return &os.PathError{Op: "open", Path: path, Err: err}
	}
	return fill(fd, path, contents)
}

// fill writes to a file, and closes it.
func fill(fd int, path string, contents []byte) (err error) {
	for err == nil && len(contents) > 0 {
		err = retry(func() error {
			n, err := unix.Write(fd, contents)
			contents = contents[max(n, 0):]
			return err
		})
	}
	if cerr := unix.Close(fd); err == nil {
		err = cerr
	}
	if err != nil {
		return &os.PathError{Op: "write", Path: path, Err: err}
	}
	return nil
}

// create makes a file that was not there, not even as a link.
func create(path string, mode os.FileMode) (fd int, err error) {
	err = retry(func() (err error) {
		fd, err = unix.Open(path, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, uint32(mode.Perm()))
		return err
	})
	return fd, err
}

// Remove removes the file at path, which goes last, and what a write that was killed has
// left of it. That there is nothing is no error.
func Remove(path string) error {
	if err := unlink(path + Suffix); err != nil {
		return err
	}
	return unlink(path)
}

// unlink removes a file; none is no error.
func unlink(path string) error {
	err := retry(func() error { return unix.Unlink(path) })
	if err != nil && !errors.Is(err, unix.ENOENT) {
		return &os.PathError{Op: "unlink", Path: path, Err: err}
	}
	return nil
}

// retry repeats a call that a signal has interrupted.
func retry(call func() error) error {
	for {
		if err := call(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
