package jailctl

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// copyUp makes a mount on a folder and copies into it what is in the folder. What is
// covered can still be read by who had it open before: nothing is put aside that
// somebody would have to remove.
func copyUp(at *spot, mount func() error) error {
	list, err := at.dir.Open(".")
	if err != nil {
		return err
	}
	if err := mount(); err != nil {
		return errors.Join(err, list.Close())
	}
	// The folder's own dot leads onto the mount.
	to, err := at.dir.OpenRoot(".")
	if err != nil {
		return errors.Join(err, list.Close())
	}
	defer to.Close()
	c := copier{from: at.dir, to: to, names: make(map[fileID]string)}
	if err := c.folder(".", list); err != nil {
		return fmt.Errorf("copy %s onto its mount: %w", at.path, err)
	}
	return nil
}

// copier copies folders, files and links, with owners, modes and times.
type copier struct {
	from, to *os.Root
	names    map[fileID]string // copies of files that have several names
}

// fileID tells a file from all others.
type fileID struct{ device, inode uint64 }

// folder copies what is in a folder that is there in the copy, and what is known of it.
func (c *copier) folder(path string, list *os.File) error {
	defer list.Close()
	if len(path) > maxPath {
		return unix.ENAMETOOLONG
	}
	for {
		names, err := list.Readdirnames(256)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		for _, name := range names {
			if err := c.entry(filepath.Join(path, name)); err != nil {
				return err
			}
		}
	}
	fi, err := list.Stat()
	if err != nil {
		return err
	}
	uid, gid := owner(fi)
	if err := c.to.Lchown(path, uid, gid); err != nil {
		return err
	}
	if err := c.to.Chmod(path, fi.Mode()); err != nil {
		return err
	}
	return c.to.Chtimes(path, time.Time{}, fi.ModTime())
}

// entry copies what has a name. Sockets, fifos and devices are left out: nobody is at
// their other end.
func (c *copier) entry(path string) error {
	fi, err := c.from.Lstat(path)
	if err != nil {
		return err
	}
	switch mode := fi.Mode(); {
	case mode.IsDir():
		list, err := c.from.OpenFile(path, os.O_RDONLY|unix.O_DIRECTORY, 0)
		if err != nil {
			return err
		}
		if err := c.to.Mkdir(path, 0o700); err != nil {
			return errors.Join(err, list.Close())
		}
		return c.folder(path, list)
	case mode.IsRegular():
		return c.file(path)
	case mode&fs.ModeSymlink != 0:
		link, err := c.from.Readlink(path)
		if err != nil {
			return err
		}
		if err := c.to.Symlink(link, path); err != nil {
			return err
		}
		uid, gid := owner(fi)
		return c.to.Lchown(path, uid, gid)
	}
	return nil
}

// file copies a file, or gives the copy that it has a second name.
func (c *copier) file(path string) error {
	f, err := (&spot{dir: c.from, name: path}).openFile()
	if err != nil {
		return err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	if st, ok := fi.Sys().(*syscall.Stat_t); ok && links(fi) > 1 {
		id := fileID{uint64(st.Dev), st.Ino} //nolint:unconvert // of another size on other systems
		if first, ok := c.names[id]; ok {
			return c.to.Link(first, path)
		}
		c.names[id] = path
	}
	if err := copyFile(c.to, path, f); err != nil {
		return err
	}
	return c.to.Chtimes(path, time.Time{}, fi.ModTime())
}

// copyFile makes a file that is like another one.
func copyFile(dir *os.Root, name string, from *os.File) error {
	fi, err := from.Stat()
	if err != nil {
		return err
	}
	f, err := dir.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	if err == nil {
		err = f.Chown(owner(fi))
	}
	if err == nil {
		// Last: a change of owner takes the bits for set-user-id away.
		err = f.Chmod(fi.Mode())
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, dir.Remove(name))
	}
	return nil
}
