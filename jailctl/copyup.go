package jailctl

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// copyUp makes a mount on a folder and copies into it what is in the folder. What is
// covered can still be read by who had it open before: nothing is put aside that
// somebody would have to remove.
func copyUp(at *spot, mount func() error) error {
	from, err := at.dir.file(".", unix.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer from.Close()
	if err := mount(); err != nil {
		return err
	}
	// The folder's own dot leads onto the mount.
	to, err := at.dir.folder(".")
	if err != nil {
		return err
	}
	defer to.Close()
	c := copier{to: to, names: make(map[fileID]string)}
	if err := c.folder(from, to, "."); err != nil {
		return fmt.Errorf("copy %s onto its mount: %w", at.path, err)
	}
	return nil
}

// copier copies folders, files and links, with owners, modes and times.
type copier struct {
	to    folder            // the copy
	names map[fileID]string // copies of files that have several names, by their paths in it
}

// fileID tells a file from all others.
type fileID struct{ device, inode uint64 }

// folder copies what is in a folder into another one, and what is known of it. The path is
// that in the copy.
func (c *copier) folder(from *os.File, to folder, path string) error {
	if len(path) > maxPath {
		return unix.ENAMETOOLONG
	}
	for {
		names, err := from.Readdirnames(256)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		for _, name := range names {
			if err := c.entry(folder(from.Fd()), to, name, filepath.Join(path, name)); err != nil {
				return err
			}
		}
	}
	st, err := folder(from.Fd()).stat()
	if err != nil {
		return err
	}
	return errors.Join(become(to, &st), to.settime(".", &st))
}

// entry copies what has a name. Sockets, fifos and devices are left out: nobody is at
// their other end.
func (c *copier) entry(from, to folder, name, path string) error {
	st, err := from.lstat(name)
	if err != nil {
		return err
	}
	switch kindOf(&st) {
	case unix.S_IFDIR:
		return c.subfolder(from, to, name, path)
	case unix.S_IFREG:
		return c.file(from, to, name, path)
	case unix.S_IFLNK:
		link, err := from.readlink(name)
		if err != nil {
			return err
		}
		if err := to.symlink(link, name); err != nil {
			return err
		}
		return to.chown(name, &st)
	}
	return nil
}

func (c *copier) subfolder(from, to folder, name, path string) error {
	list, err := from.file(name, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer list.Close()
	if err := to.mkdir(name, 0o700); err != nil {
		return err
	}
	made, err := to.folder(name)
	if err != nil {
		return err
	}
	defer made.Close()
	return c.folder(list, made, path)
}

// file copies a file, or gives the copy that it has a second name.
func (c *copier) file(from, to folder, name, path string) error {
	f, err := (&spot{dir: from, name: name}).openFile()
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := folder(f.Fd()).stat()
	if err != nil {
		return err
	}
	if st.Nlink > 1 {
		id := fileID{uint64(st.Dev), st.Ino} //nolint:unconvert // of another size on other systems
		if first, ok := c.names[id]; ok {
			return c.link(first, to, name)
		}
		c.names[id] = path
	}
	if err := copyFile(to, name, f); err != nil {
		return err
	}
	return to.settime(name, &st)
}

// link gives a file of the copy a second name. Whose the folders on the way to it are, they
// may change names there already.
func (c *copier) link(path string, to folder, name string) error {
	dir, old := filepath.Split(path)
	at, err := c.to.below(dir)
	if err != nil {
		return err
	}
	defer at.Close()
	return to.link(at, old, name)
}

// copyFile makes a file that is like another one.
func copyFile(dir folder, name string, from *os.File) error {
	st, err := folder(from.Fd()).stat()
	if err != nil {
		return err
	}
	f, err := dir.file(name, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	if err == nil {
		err = become(folder(f.Fd()), &st)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, dir.remove(name))
	}
	return nil
}

// become gives a file or folder the owner and mode of another one.
func become(fd folder, like *unix.Stat_t) error {
	if err := named("fchown", ".", func() error { return unix.Fchown(int(fd), int(like.Uid), int(like.Gid)) }); err != nil {
		return err
	}
	// Last: a change of owner takes the bits for set-user-id away.
	return named("fchmod", ".", func() error { return unix.Fchmod(int(fd), uint32(int(like.Mode)&0o7777)) })
}
