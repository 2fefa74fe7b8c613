package testbed

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Leftovers returns what there is of the space's containers outside containerd's
// database, one line each; nil when it is clean. Programs that a test runs
// against the space count as well, so they must have ended.
func (s *Space) Leftovers() []string {
	d := s.Daemon
	return slices.Concat(
		processLines(s.Namespace),
		containedLines(s.Namespace),
		mountLines(filepath.Join(d.TaskDir(), s.Namespace)),
		lines("bundle", glob(filepath.Join(d.TaskDir(), s.Namespace, "*"))),
		lines("work folder", glob(filepath.Join(d.Dir, "root", filepath.Base(d.TaskDir()), s.Namespace, "*"))),
		socketLines(existing(s.sockets.all())),
		stateLines(d.StateDir(), s.Namespace),
		lines("runtime state", runtimeState(s.Namespace)),
	)
}

// leftovers returns what there is of all containers of the daemon.
func (d *Daemon) leftovers() []string {
	processes := processLines(d.Dir)
	processes = slices.DeleteFunc(processes, func(line string) bool {
		return strings.HasPrefix(line, fmt.Sprintf("process %d:", d.Pid()))
	})
	return slices.Concat(
		processes,
		containedLines(filepath.Base(d.Dir)+"-"),
		mountLines(d.Dir),
		lines("bundle", glob(filepath.Join(d.TaskDir(), "*", "*"))),
		socketLines(glob(filepath.Join(d.SocketDir(), "*"))),
		stateLines(d.StateDir(), ""),
	)
}

func lines(kind string, names []string) []string {
	for i, name := range names {
		names[i] = kind + " " + name
	}
	return names
}

// socketLines are lines about shims' sockets. Containerd's own shim leaves its
// socket when it had a group, or was killed.
func socketLines(paths []string) []string {
	if Runtime != OurRuntime {
		return nil
	}
	return lines("socket", paths)
}

// broken is the line for something that could not be looked at: a check that
// fails finds something.
func broken(kind string, err error) []string {
	return []string{fmt.Sprintf("%s: %v", kind, err)}
}

func processLines(text string) (found []string) {
	processes, err := processesWith(text)
	if err != nil {
		return broken("processes", err)
	}
	for pid, cmdline := range processes {
		found = append(found, fmt.Sprintf("process %d: %s", pid, cmdline))
	}
	return found
}

func containedLines(namespaces string) (found []string) {
	all, err := contained(namespaces)
	if err != nil {
		return broken("containers", err)
	}
	for _, c := range all {
		found = append(found, fmt.Sprintf("container %s in the kernel, processes %v", c.name, c.pids))
	}
	return found
}

func mountLines(dir string) []string {
	mounts, err := mountsUnder(dir)
	if err != nil {
		return broken("mounts", err)
	}
	return lines("mount", mounts)
}

// stateLines returns the files in our shim's state folder that belong to a
// namespace, by their path or by what is in them.
func stateLines(dir, namespace string) (found []string) {
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if os.IsNotExist(err) {
			return nil // gone meanwhile, or never there
		}
		if err != nil || e.IsDir() {
			return err
		}
		mine := strings.Contains(path, namespace)
		if !mine && e.Type().IsRegular() {
			// Not the fifos: to read a runtime's exec.fifo is to start its container.
			content, err := os.ReadFile(path)
			mine = err == nil && bytes.Contains(content, []byte(namespace))
		}
		if mine {
			found = append(found, "state file "+path)
		}
		return nil
	})
	if err != nil {
		found = append(found, broken("state folder", err)...)
	}
	return found
}

func glob(pattern string) []string {
	found, err := filepath.Glob(pattern)
	if err != nil {
		panic(err) // the patterns are ours
	}
	return found
}

func existing(paths []string) []string {
	return slices.DeleteFunc(paths, func(path string) bool {
		_, err := os.Lstat(path)
		return os.IsNotExist(err)
	})
}
