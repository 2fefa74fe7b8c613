package daemon

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// unmountFlags detach a mount whatever is open in it.
const unmountFlags = unix.MNT_DETACH | unix.UMOUNT_NOFOLLOW

// runcRoot is where containerd's own shim lets runc keep its state.
const runcRoot = "/run/containerd/runc"

// processes returns the command lines of all processes, by pid, that have to do
// with the daemon: its folder is in their command line or environment, or they
// are in a cgroup of its namespace.
func (d *Daemon) processes() (map[int]string, error) {
	found := map[int]string{}
	for _, dir := range glob("/proc/[0-9]*") {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil || pid == os.Getpid() {
			continue
		}
		// The files of a process that has just ended are gone or empty.
		cmdline, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
		environ, _ := os.ReadFile(filepath.Join(dir, "environ"))
		cgroup, _ := os.ReadFile(filepath.Join(dir, "cgroup"))
		if bytes.Contains(cmdline, []byte(d.Dir)) || bytes.Contains(environ, []byte(d.Dir)) ||
			bytes.Contains(cgroup, []byte("/"+d.Namespace+"/")) {
			found[pid] = string(bytes.ReplaceAll(bytes.TrimRight(cmdline, "\x00"), []byte{0}, []byte(" ")))
		}
	}
	return found, nil
}

// mountsBelow returns the mount points below dir in the order they were made.
func mountsBelow(dir string) ([]string, error) {
	info, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	var points []string
	for line := range strings.Lines(string(info)) {
		fields := strings.Fields(line)
		if len(fields) < 5 {
			return nil, fmt.Errorf("/proc/self/mountinfo: line %q", line)
		}
		if strings.HasPrefix(fields[4], dir+"/") {
			points = append(points, fields[4])
		}
	}
	return points, nil
}

// kernelObjects returns what of the namespace's containers is elsewhere on the
// host: their cgroups, and what runc keeps for containerd's own shim. What runc
// keeps for ours is among its state files.
func (d *Daemon) kernelObjects() ([]Kind, error) {
	return []Kind{
		{"cgroups", d.cgroups("*")},
		{"state of runc", glob(runcRoot, d.Namespace, "*")},
	}, nil
}

// cgroups returns the folders of the namespace's containers in the hierarchies of
// cgroup version 1, one each, and of version 2.
func (d *Daemon) cgroups(id ...string) (dirs []string) {
	for _, hierarchy := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/*"} {
		for _, f := range glob(append([]string{hierarchy, d.Namespace}, id...)...) {
			if info, err := os.Stat(f); err == nil && info.IsDir() {
				dirs = append(dirs, f)
			}
		}
	}
	return dirs
}

// removeKernelObjects removes the empty cgroups of the namespace, and its own,
// which stays after its last container whatever the runtime, being the place of
// the next.
func (d *Daemon) removeKernelObjects() error {
	for _, dir := range append(d.cgroups("*"), d.cgroups()...) {
		if err := os.Remove(dir); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove cgroup: %w", err)
		}
	}
	return os.RemoveAll(filepath.Join(runcRoot, d.Namespace))
}
