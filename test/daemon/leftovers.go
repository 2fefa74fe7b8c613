package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Kind is a kind of thing that containers and shims can leave behind, and what
// there is of it now.
type Kind struct {
	One, Many string // its name
	Found     []string
}

// Containment is what holds a container's processes together in the kernel: a
// cgroup or a jail.
type Containment struct {
	Name  string // the cgroup's namespace/id, the jail's number and name
	Dying bool   // it can't have new processes
	Pids  []int
}

// among tells whether a namespace is the given one, or one of those whose names
// begin with that and a "-".
func among(namespace, which string) bool {
	return namespace == which || strings.HasPrefix(namespace, which+"-")
}

// names tells whether the name of a kernel object begins with the name of a
// namespace, or of a namespace and a container: written in letters, digits and
// "_", to which the objects' names are limited, and followed by something else.
func names(object, name string) bool {
	words := func(s string) string {
		return strings.Map(func(r rune) rune {
			if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
				return r
			}
			return '_'
		}, s) + "_"
	}
	// After the last parent's name.
	return strings.HasPrefix(words(object[strings.LastIndex(object, ".")+1:]), words(name))
}

// Leftovers returns what there is of a namespace outside containerd's database,
// each kind in every answer. With the daemon's own name it is about all that the
// daemon, its shims and its containers have, the daemon's process excepted.
func (d *Daemon) Leftovers(namespace string) ([]Kind, error) {
	text, mounts, bundles, sockets := namespace, filepath.Join(d.Bundles(), namespace), namespace, ""
	if namespace == d.Name() {
		// Whatever has the folder in its arguments or environment; and any mount,
		// those included that containerd makes for itself.
		text, mounts, bundles, sockets = d.Dir, d.Dir, "*", "*"
	}
	processes, contained, err := d.processes(text, namespace)
	if err != nil {
		return nil, err
	}
	var processLines, containedLines []string
	for pid, command := range processes {
		processLines = append(processLines, fmt.Sprintf("%d %s", pid, command))
	}
	slices.Sort(processLines)
	for _, c := range contained {
		line := fmt.Sprintf("%s, processes %v", c.Name, c.Pids)
		if c.Dying {
			line += ", dying"
		}
		containedLines = append(containedLines, line)
	}
	points, err := d.mounts(mounts, namespace)
	if err != nil {
		return nil, err
	}
	state, err := d.stateFiles(namespace)
	if err != nil {
		return nil, err
	}
	others, err := kernelObjects(namespace)
	if err != nil {
		return nil, err
	}
	return append([]Kind{
		{"process", "processes", processLines},
		{"container", containments, containedLines},
		{"mount", "mounts", points},
		{"bundle", "bundles", glob(d.Bundles(), bundles, "*")},
		{"work folder", "work folders", glob(d.root(), filepath.Base(d.Bundles()), bundles, "*")},
		{"socket", "shim sockets", glob(d.Sockets(), sockets)},
		{"state file", "shim state files", state},
	}, others...), nil
}

// processes returns the processes, except the caller and the daemon, that have
// the given text in their arguments or environment or are in a container of the
// namespaces, with their command lines; and those containers.
func (d *Daemon) processes(text, namespace string) (map[int]string, []Containment, error) {
	contained, err := Contained(namespace)
	if err != nil {
		return nil, nil, err
	}
	found, err := ProcessesWith(text)
	if err != nil {
		return nil, nil, err
	}
	for _, c := range contained {
		for _, pid := range c.Pids {
			if _, ok := found[pid]; !ok {
				found[pid] = strings.TrimSpace(commandLine(pid) + " in " + c.Name)
			}
		}
	}
	delete(found, d.Pid())
	return found, contained, nil
}

// words is a command line as the kernel has it, for people.
func words(line []byte) string {
	return string(bytes.ReplaceAll(bytes.TrimRight(line, "\x00"), []byte{0}, []byte(" ")))
}

// mounts returns the mount points below dir, and those in our state folder that
// bear the namespace's name, in the order they were made; but not the root of the
// ZFS snapshotter, which is there as long as the daemon.
func (d *Daemon) mounts(dir, namespace string) ([]string, error) {
	points, err := MountsBelow(dir, stateRoot())
	return slices.DeleteFunc(points, func(p string) bool {
		return d.dataset != "" && p == d.zfsRoot() ||
			below(p, []string{stateRoot()}) && !d.ownsState(p, namespace)
	}), err
}

// below tells whether a path is below one of the folders.
func below(path string, dirs []string) bool {
	return slices.ContainsFunc(dirs, func(dir string) bool { return strings.HasPrefix(path, dir+"/") })
}

// ownsState tells whether a path in our state folder belongs to the namespace.
func (d *Daemon) ownsState(path, namespace string) bool {
	return strings.Contains(path, namespace) ||
		slices.ContainsFunc(strings.Split(path, "/"), func(e string) bool { return names(e, namespace) }) ||
		namespace == d.Name() && below(path, []string{d.StateDir()})
}

// AwaitClean waits until nothing is left over of all namespaces, or for the time
// that anything may take to be gone, and returns what there is of each kind then,
// and how many things in all.
func (d *Daemon) AwaitClean(ctx context.Context) (kinds []Kind, total int, err error) {
	left := Poll(ctx, Patience, func() error {
		if kinds, err = d.Leftovers(d.Name()); err != nil {
			return nil // a check that fails now fails later
		}
		total = 0
		for _, k := range kinds {
			total += len(k.Found)
		}
		if total > 0 {
			return errLeft
		}
		return nil
	})
	if err == nil && !errors.Is(left, errLeft) {
		err = left
	}
	return kinds, total, err
}

// errLeft is the poll's: there is something, so wait.
var errLeft = errors.New("something is left over")

// stateFiles returns the files in our state folder that belong to a namespace: by
// their path or by what is in them.
func (d *Daemon) stateFiles(namespace string) (found []string, err error) {
	mounts, err := MountsBelow(stateRoot())
	if err != nil {
		return nil, err
	}
	err = filepath.WalkDir(stateRoot(), func(path string, e fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // gone meanwhile, or never there
		case err != nil:
			return err
		case e.IsDir() && slices.Contains(mounts, path):
			return fs.SkipDir // a container's files
		case e.IsDir():
			return nil
		}
		mine := d.ownsState(path, namespace)
		if !mine && e.Type().IsRegular() {
			// Not the fifos: to read a runtime's exec.fifo is to start its container.
			content, err := os.ReadFile(path)
			mine = err == nil && bytes.Contains(content, []byte(namespace))
		}
		if mine {
			found = append(found, path)
		}
		return nil
	})
	return found, err
}

func glob(elements ...string) []string {
	if slices.Contains(elements, "") {
		return nil
	}
	found, err := filepath.Glob(filepath.Join(elements...))
	if err != nil {
		panic(err) // the patterns are ours
	}
	return found
}

// Remove removes the daemon and everything that it, its shims and its containers
// have made, in whatever state they are. Only when a process can't be killed or
// a mount not removed, it leaves the folder and returns an error that names it.
func (d *Daemon) Remove() error {
	if err := d.remove(); err != nil {
		return fmt.Errorf("remove the containerd in %s: %w: its folder is left for you to look at", d.Dir, err)
	}
	return nil
}

func (d *Daemon) remove() error {
	if err := d.End(unix.SIGKILL); err != nil {
		return err
	}
	if err := d.killAll(); err != nil {
		return err
	}
	if err := removeContained(d.Name()); err != nil {
		return err
	}
	mounts, err := MountsBelow(d.Dir, d.StateDir())
	if err != nil {
		return err
	}
	if err := d.findDataset(mounts); err != nil {
		return err
	}
	for _, m := range slices.Backward(mounts) {
		if err := unix.Unmount(m, unmountFlags); err != nil {
			return fmt.Errorf("unmount %s: %w", m, err)
		}
	}
	if err := d.removeDataset(); err != nil {
		return err
	}
	state, err := d.stateFiles(d.Name())
	if err != nil {
		return err
	}
	for _, f := range state {
		err = errors.Join(err, os.Remove(f))
	}
	return errors.Join(err, os.RemoveAll(d.StateDir()), os.RemoveAll(d.Dir))
}

// killAll kills every process that has to do with the daemon, until there is
// none.
func (d *Daemon) killAll() error {
	return Poll(context.Background(), Patience, func() error {
		processes, _, err := d.processes(d.Dir, d.Name())
		if err != nil {
			return err
		}
		for pid := range processes {
			if err := unix.Kill(pid, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("kill process %d: %w", pid, err)
			}
		}
		if len(processes) > 0 {
			return fmt.Errorf("processes %v do not end", processes)
		}
		return nil
	})
}
