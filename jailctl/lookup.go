package jailctl

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"jailshim/jailctl/kernel"
)

// spot is a place in a container's root, held open. Others may write there, and put a
// link where a name was that has been looked up: what is open stays what it is.
type spot struct {
	root string // on the host
	path string // of the place, on the host, without links, as it was found
	dir  folder // the place, if it is a folder; else the folder that it is in
	name string // in dir; empty if the place is dir
	// The way to it leads over a file system of others, who may change names at any time.
	shared bool
}

// openFile opens a regular file there for reading. It waits for nobody: somebody may have
// made it a fifo.
func (s *spot) openFile() (*os.File, error) {
	if s.name == "" {
		return nil, errNoFile
	}
	// Opening a device may do something to it.
	if st, err := s.dir.lstat(s.name); err != nil || kindOf(&st) != unix.S_IFREG {
		return nil, errors.Join(errNoFile, err)
	}
	f, err := s.dir.file(s.name, unix.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	if fi, err := f.Stat(); err != nil || !fi.Mode().IsRegular() {
		return nil, errors.Join(errNoFile, err, f.Close())
	}
	return f, nil
}

var errNoFile = errors.New("it is no regular file")

// openFile opens a regular file of the container whose root is root for reading.
func openFile(root, path string) (*os.File, error) {
	at, err := find(root, path, orFile)
	if err != nil {
		return nil, err
	}
	defer at.Close()
	return at.openFile()
}

// Close lets go of the place.
func (s *spot) Close() { s.dir.Close() }

// how a place is looked up.
type how int

const (
	orFile      how = 1 << iota // it need not be a folder, nor be there
	makeFolders                 // folders that are missing are made
)

const (
	maxLinks = 255  // that are followed on one way
	maxPath  = 1023 // bytes of a path that the kernel mounts on; it bounds what is held open
)

// find looks up a path of the container whose root is root. Links are followed as its
// processes would, so none leads out. What is no link is opened by the one that opened
// its folder: however names change meanwhile, nothing outside is opened or made.
func find(root, path string, h how) (*spot, error) {
	w, err := newWay(root, path)
	for err == nil && len(w.rest) > 0 && w.name == "" {
		err = w.step(h)
	}
	if err != nil {
		if w != nil {
			w.back(0)
		}
		return nil, fmt.Errorf("path %s in the root %s: %w", path, root, err)
	}
	at := &spot{root: root, path: filepath.Join(root, filepath.Join(w.names...), w.name), dir: w.here(), name: w.name, shared: w.shared}
	w.open = w.open[:len(w.open)-1]
	w.back(0)
	return at, nil
}

// way is how far a lookup has come.
type way struct {
	open  []folder // the root, and the folders below it
	names []string // of those folders
	rest  []string // names that are still to be looked up
	name  string   // the last one, if it is no folder
	links int      // that were followed
	// device is that of the last folder which was opened; shared as in spot.
	device uint64
	shared bool
}

func newWay(root, path string) (*way, error) {
	top, err := openFolder(root)
	if err != nil {
		return nil, err
	}
	w := &way{open: []folder{top}, rest: names(path)}
	if w.device, err = top.device(); err != nil {
		top.Close()
		return nil, err
	}
	return w, nil
}

func (d folder) device() (uint64, error) {
	st, err := d.stat()
	return uint64(st.Dev), err //nolint:unconvert // of another size on other systems
}

// cross notes whose a folder's file system is, if it is another one than before.
func (w *way) cross(dir folder) error {
	device, err := dir.device()
	if err != nil || device == w.device {
		return err
	}
	w.device = device
	m, err := kernel.MountOfFile(int(dir))
	w.shared = w.shared || !slices.Contains(ownTypes, m.Type)
	return err
}

// ownTypes are file systems that are new with each mount.
var ownTypes = []string{"tmpfs", "devfs", "fdescfs", "procfs", "linprocfs", "linsysfs"}

func names(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
}

func (w *way) here() folder { return w.open[len(w.open)-1] }

// step goes on by one name.
func (w *way) step(h how) error {
	name, dir := w.rest[0], w.here()
	w.rest = w.rest[1:]
	switch name {
	case ".":
		return nil
	case "..":
		w.back(max(1, len(w.open)-1))
		return nil
	}
	last := len(w.rest) == 0 && h&orFile != 0
	next, err := dir.folder(name)
	if errors.Is(err, fs.ErrNotExist) && h&makeFolders != 0 && !last {
		if err = dir.mkdir(name, 0o755); err == nil || errors.Is(err, fs.ErrExist) {
			next, err = dir.folder(name)
		}
	}
	if err == nil {
		w.open, w.names = append(w.open, next), append(w.names, name)
		if err := w.cross(next); err != nil {
			return err
		}
		if len(filepath.Join(w.names...)) > maxPath {
			return unix.ENAMETOOLONG
		}
		return nil
	}
	if to, lerr := dir.readlink(name); lerr == nil {
		return w.follow(to)
	}
	if last && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR)) {
		w.name = name
		return nil
	}
	return err
}

// follow goes where a link leads.
func (w *way) follow(to string) error {
	if w.links++; w.links > maxLinks {
		return unix.ELOOP
	}
	if filepath.IsAbs(to) {
		w.back(1)
	}
	w.rest = append(names(to), w.rest...)
	return nil
}

// back goes back to the first n open folders, of which the root is one.
func (w *way) back(n int) {
	for _, dir := range w.open[n:] {
		dir.Close()
	}
	w.open = w.open[:n]
	w.names = w.names[:min(len(w.names), max(0, n-1))]
}
