package testbed

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/containerd/containerd/v2/pkg/oci"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// DefaultSnapshotter is the snapshotter that the spaces use.
const DefaultSnapshotter = "overlayfs"

// unmountFlags detach a mount whatever is below or open in it.
const unmountFlags = unix.MNT_DETACH | unix.UMOUNT_NOFOLLOW

// cgroups is where the hierarchies are mounted: of version 1 one folder each, of
// version 2 the folder itself.
const cgroups = "/sys/fs/cgroup"

// processesWith returns the processes, except the caller, whose command line or
// environment contains text, with their command lines.
func processesWith(text string) (map[int]string, error) {
	found := map[int]string{}
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	for _, dir := range dirs {
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
			found[pid] = string(bytes.ReplaceAll(bytes.TrimRight(cmdline, "\x00"), []byte{0}, []byte(" ")))
		}
	}
	return found, nil
}

// containment is what holds a container's processes together: a cgroup here.
type containment struct {
	name string // namespace/id
	pids []int
}

// contained returns the containments of the namespaces whose names begin with
// the given text.
func contained(namespaces string) ([]containment, error) {
	byName := map[string]*containment{}
	dirs, err := cgroupDirs(namespaces, "*")
	if err != nil {
		return nil, err
	}
	for _, dir := range dirs {
		name := filepath.Base(filepath.Dir(dir)) + "/" + filepath.Base(dir)
		c := byName[name]
		if c == nil {
			c = &containment{name: name}
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
			if !slices.Contains(c.pids, pid) {
				c.pids = append(c.pids, pid)
			}
		}
	}
	var all []containment
	for _, c := range byName {
		all = append(all, *c)
	}
	return all, nil
}

// cgroupDirs returns the folders of the cgroups <namespace>/<id> of all
// hierarchies, for namespaces that begin with the given text and ids that match
// the pattern.
func cgroupDirs(namespaces, id string) ([]string, error) {
	var dirs []string
	for _, hierarchy := range []string{cgroups, cgroups + "/*"} {
		found, err := filepath.Glob(filepath.Join(hierarchy, namespaces+"*", id))
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			if info, err := os.Stat(f); err == nil && info.IsDir() {
				dirs = append(dirs, f)
			}
		}
	}
	return dirs, nil
}

// removeContained removes the empty cgroups of the namespaces, also those of the
// namespaces themselves, which no runtime removes.
func removeContained(namespaces string) error {
	dirs, err := cgroupDirs(namespaces, "*")
	if err != nil {
		return err
	}
	for _, hierarchy := range []string{cgroups, cgroups + "/*"} {
		found, err := filepath.Glob(filepath.Join(hierarchy, namespaces+"*"))
		if err != nil {
			return err
		}
		dirs = append(dirs, found...)
	}
	for _, dir := range dirs {
		if err := os.Remove(dir); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// mountsUnder returns the mount points below dir in the order they were made.
func mountsUnder(dir string) ([]string, error) {
	info, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	var points []string
	for line := range strings.Lines(string(info)) {
		fields := strings.Fields(line)
		if len(fields) < 5 {
			return nil, fmt.Errorf("mountinfo line %q", line)
		}
		// Spaces and the like are escaped; the names of the tests have none.
		if strings.HasPrefix(fields[4], dir+"/") {
			points = append(points, fields[4])
		}
	}
	return points, nil
}

// runtimeState returns what the OCI runtime under containerd's own shim keeps of
// a namespace's containers.
func runtimeState(namespace string) []string {
	return glob("/run/containerd/runc/" + namespace + "/*")
}

// Descriptors returns how many descriptors a process has open.
func Descriptors(pid int) (int, error) {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	return len(entries), err
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

// MemoryAccounting is needed to limit memory and to see that a limit was hit.
var MemoryAccounting = Need{
	Name: "the memory cgroup controller",
	Check: func() error {
		if _, err := os.Stat(cgroups + "/memory/memory.limit_in_bytes"); err == nil {
			return nil
		}
		controllers, err := os.ReadFile(cgroups + "/cgroup.controllers")
		if err == nil && !slices.Contains(strings.Fields(string(controllers)), "memory") {
			err = fmt.Errorf("controllers: %s", bytes.TrimSpace(controllers))
		}
		return err
	},
	Get: "boot Linux with cgroup_enable=memory",
}

// PoststartAtCreate tells whether poststart hooks run before the start: runc runs
// them when it has created the container.
const PoststartAtCreate = true

// WithHostDir makes a folder of the host a container's folder.
func WithHostDir(host, container string) oci.SpecOpts {
	return oci.WithMounts([]specs.Mount{{
		Type: "bind", Source: host, Destination: container, Options: []string{"rbind", "rw"},
	}})
}

// OpenTerminal makes a pseudo terminal: master is the screen and keyboard, slave is
// for a program.
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
