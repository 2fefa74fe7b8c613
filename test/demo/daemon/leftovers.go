package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"jailshim/shim"
)

// Kind is a kind of thing that containers and shims can leave behind, and what
// there is of it now.
type Kind struct {
	Name  string
	Found []string
}

// Leftovers returns what there is outside containerd's own database, each kind
// in every answer. The daemon's own process, while it runs, is not among them.
func (d *Daemon) Leftovers() ([]Kind, error) {
	processes, err := d.processes()
	if err != nil {
		return nil, err
	}
	delete(processes, d.Pid())
	var lines []string
	for pid, command := range processes {
		lines = append(lines, fmt.Sprintf("%d %s", pid, command))
	}
	slices.Sort(lines)
	mounts, err := mountsBelow(d.Dir)
	if err != nil {
		return nil, err
	}
	state, err := files(shim.StateDir(d.Address))
	if err != nil {
		return nil, err
	}
	kernel, err := d.kernelObjects()
	if err != nil {
		return nil, err
	}
	return append([]Kind{
		{"processes", lines},
		{"mounts", mounts},
		{"bundles", glob(d.bundles(), "*", "*")},
		{"shim sockets", glob(d.sockets(), "*")},
		{"shim state files", state},
	}, kernel...), nil
}

// AwaitClean waits until nothing is left over, or for the time that anything of
// the daemon may take to be gone, and returns what there is of each kind then,
// and how many things in all.
func (d *Daemon) AwaitClean(ctx context.Context) (kinds []Kind, total int, err error) {
	left := poll(ctx, func() error {
		if kinds, err = d.Leftovers(); err != nil {
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

// files returns the files below dir, which need not exist.
func files(dir string) (found []string, err error) {
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && !e.IsDir() {
			found = append(found, path)
		}
		return err
	})
	return found, err
}

func glob(elements ...string) []string {
	found, err := filepath.Glob(filepath.Join(elements...))
	if err != nil {
		panic(err) // the patterns are ours
	}
	return found
}

// Close removes the daemon and everything that it, its shims and its containers
// have made, in whatever state they are. Only when a process can't be killed or
// a mount not removed, it leaves the folder and returns an error that names it.
func (d *Daemon) Close() error {
	if err := d.remove(); err != nil {
		return fmt.Errorf("remove the containerd in %s: %w: its folder is left for you to look at", d.Dir, err)
	}
	return nil
}

func (d *Daemon) remove() error {
	err := poll(context.Background(), func() error {
		processes, err := d.processes()
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
	if err != nil {
		return err
	}
	d.cmd = nil
	if err := d.removeKernelObjects(); err != nil {
		return err
	}
	mounts, err := mountsBelow(d.Dir)
	if err != nil {
		return err
	}
	for _, m := range slices.Backward(mounts) {
		if err := unix.Unmount(m, unmountFlags); err != nil {
			return fmt.Errorf("unmount %s: %w", m, err)
		}
	}
	return errors.Join(os.RemoveAll(shim.StateDir(d.Address)), os.RemoveAll(d.Dir))
}
