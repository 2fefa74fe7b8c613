package daemon

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// DefaultSnapshotter is the snapshotter to use if nobody asks for another.
const DefaultSnapshotter = "overlayfs"

// unmountFlags detach a mount whatever is below or open in it.
const unmountFlags = unix.MNT_DETACH | unix.UMOUNT_NOFOLLOW

// containments is what [Containment]s are called here.
const containments = "cgroups"

// cgroups is where the hierarchies are mounted: of version 1 one folder each, of
// version 2 the folder itself.
const cgroups = "/sys/fs/cgroup"

// runcRoot is where containerd's own shim lets runc keep its state.
const runcRoot = "/run/containerd/runc"

// ProcessesWith returns the processes, except the caller, whose command line or
// environment contains text, with their command lines.
func ProcessesWith(text string) (map[int]string, error) {
	found := map[int]string{}
	for _, dir := range glob("/proc/[0-9]*") {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil || pid == os.Getpid() {
			continue
		}
		// A process that ends meanwhile has no such files, or empty ones.
		cmdline, err := os.ReadFile(dir + "/cmdline")
		if err != nil {
			continue
		}
		environ, err := os.ReadFile(dir + "/environ")
		if err != nil {
			continue
		}
		if bytes.Contains(cmdline, []byte(text)) || bytes.Contains(environ, []byte(text)) {
			found[pid] = words(cmdline)
		}
	}
	return found, nil
}

// commandLine returns the command line of a process; of none that has ended.
func commandLine(pid int) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return ""
	}
	return words(b)
}

// Contained returns the containments of a namespace's containers, and of those
// namespaces whose names begin with that name and a "-".
func Contained(namespace string) ([]Containment, error) {
	byName := map[string]*Containment{}
	for _, dir := range cgroupDirs(namespace, "*") {
		name := filepath.Base(filepath.Dir(dir)) + "/" + filepath.Base(dir)
		c := byName[name]
		if c == nil {
			c = &Containment{Name: name}
			byName[name] = c
		}
		procs, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ENODEV) {
			continue // removed meanwhile
		}
		if err != nil {
			return nil, err
		}
		for _, field := range strings.Fields(string(procs)) {
			pid, err := strconv.Atoi(field)
			if err != nil {
				return nil, err
			}
			if !slices.Contains(c.Pids, pid) {
				c.Pids = append(c.Pids, pid)
			}
		}
	}
	var all []Containment
	for _, c := range byName {
		all = append(all, *c)
	}
	return all, nil
}

// cgroupDirs returns the folders of the cgroups of the namespaces in all
// hierarchies: of the containers that match id, without an id those of the
// namespaces themselves.
func cgroupDirs(namespace string, id ...string) (dirs []string) {
	for _, hierarchy := range []string{cgroups, cgroups + "/*"} {
		for _, f := range ofNamespaces(hierarchy, namespace, id...) {
			if info, err := os.Stat(f); err == nil && info.IsDir() {
				dirs = append(dirs, f)
			}
		}
	}
	return dirs
}

// ofNamespaces returns the files dir/NAMESPACE/rest for the namespaces.
func ofNamespaces(dir, namespace string, rest ...string) []string {
	found := glob(append([]string{dir, namespace + "*"}, rest...)...)
	return slices.DeleteFunc(found, func(f string) bool {
		for range rest {
			f = filepath.Dir(f)
		}
		return !among(filepath.Base(f), namespace)
	})
}

// removeContained removes the empty cgroups of the namespaces, also those of the
// namespaces themselves, which no runtime removes, being the place of the next
// container; and what runc keeps of them.
func removeContained(namespace string) error {
	for _, dir := range append(cgroupDirs(namespace, "*"), cgroupDirs(namespace)...) {
		if err := os.Remove(dir); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove cgroup: %w", err)
		}
	}
	var err error
	for _, dir := range ofNamespaces(runcRoot, namespace) {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	return err
}

// kernelObjects returns what there is of the namespaces besides processes,
// containments, mounts and files of ours: what runc keeps for containerd's own
// shim. What runc keeps for ours is among its state files.
func kernelObjects(namespace string) ([]Kind, error) {
	return []Kind{{"runtime state", "state of runc", ofNamespaces(runcRoot, namespace, "*")}}, nil
}

// HostWide returns objects of the host that can't be told to belong to anybody,
// so that only their number before and after a run shows something: none here.
func HostWide() ([]string, error) { return nil, nil }

// MountsBelow returns the mount points below the folders in the order they were
// made.
func MountsBelow(dirs ...string) ([]string, error) {
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
		// Spaces and the like are escaped; the names of the tests have none.
		if below(fields[4], dirs) {
			points = append(points, fields[4])
		}
	}
	return points, nil
}

// Descriptors returns how many descriptors a process has open.
func Descriptors(pid int) (int, error) {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	return len(entries), err
}

// Resident returns how many bytes of memory a process has resident.
func Resident(pid int) (int64, error) {
	statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(statm)) // size, resident, … in pages
	if len(fields) < 2 {
		return 0, fmt.Errorf("/proc/%d/statm: %q", pid, statm)
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize()), err
}

// MemoryLimit returns the limit in bytes that a container's processes are under.
func MemoryLimit(namespace, id string) (int64, error) {
	for _, file := range []string{
		filepath.Join(cgroups, "memory", namespace, id, "memory.limit_in_bytes"),
		filepath.Join(cgroups, namespace, id, "memory.max"),
	} {
		b, err := os.ReadFile(file)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return 0, err
		}
		return strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	}
	return 0, fmt.Errorf("no memory cgroup of %s/%s: %w", namespace, id, os.ErrNotExist)
}

// MemoryAccounting returns an error if memory can't be limited, and what to do
// about it.
func MemoryAccounting() (get string, err error) {
	get = "boot Linux with cgroup_enable=memory"
	if _, err := os.Stat(cgroups + "/memory/memory.limit_in_bytes"); err == nil {
		return get, nil
	}
	controllers, err := os.ReadFile(cgroups + "/cgroup.controllers")
	if err == nil && !slices.Contains(strings.Fields(string(controllers)), "memory") {
		err = fmt.Errorf("controllers: %s", bytes.TrimSpace(controllers))
	}
	return get, err
}

// OpenTerminal makes a pseudo terminal: master is the screen and keyboard, slave
// is for a program.
func OpenTerminal() (master, slave *os.File, err error) {
	master, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	fd := int(master.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	}
	if err != nil {
		return nil, nil, errors.Join(err, master.Close())
	}
	return master, slave, nil
}
