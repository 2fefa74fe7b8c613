package testbed

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/containerd/containerd/v2/pkg/oci"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// DefaultSnapshotter is the snapshotter that the spaces use.
const DefaultSnapshotter = "native"

// unmountFlags remove a mount whatever is open in it.
const unmountFlags = unix.MNT_FORCE

// processesWith returns the processes, except the caller, whose command line or
// environment contains text, with their command lines.
func processesWith(text string) (map[int]string, error) {
	found := map[int]string{}
	// e: with the environment, which root sees of every process.
	lines, err := output("ps", "-axwwe", "-o", "pid=,command=")
	if err != nil {
		return nil, err
	}
	for _, line := range lines {
		number, command, _ := strings.Cut(strings.TrimSpace(line), " ")
		pid, err := strconv.Atoi(number)
		if err != nil {
			return nil, fmt.Errorf("ps printed %q: %w", line, err)
		}
		if pid != os.Getpid() && strings.Contains(command, text) {
			found[pid] = command
		}
	}
	return found, nil
}

// containment is what holds a container's processes together: a jail here.
type containment struct {
	name string // namespace/id
	pids []int
}

// contained returns the containments of the namespaces whose names begin with
// the given text. A jail belongs to the container in whose bundle its root is.
func contained(namespaces string) ([]containment, error) {
	jails, err := output("jls", "-d", "jid", "path")
	if err != nil {
		return nil, err
	}
	var all []containment
	for _, jail := range jails {
		jid, path, _ := strings.Cut(jail, " ")
		bundle := filepath.Dir(path)
		namespace := filepath.Base(filepath.Dir(bundle))
		if !strings.HasPrefix(namespace, namespaces) {
			continue
		}
		c := containment{name: namespace + "/" + filepath.Base(bundle)}
		// ps fails if the jail has no process.
		pids, err := output("ps", "-J", jid, "-o", "pid=")
		if err != nil {
			pids = nil
		}
		for _, p := range pids {
			pid, err := strconv.Atoi(strings.TrimSpace(p))
			if err != nil {
				return nil, fmt.Errorf("ps printed %q: %w", p, err)
			}
			c.pids = append(c.pids, pid)
		}
		all = append(all, c)
	}
	return all, nil
}

// removeContained removes the jails of the namespaces.
func removeContained(namespaces string) error {
	jails, err := output("jls", "-d", "jid", "path")
	if err != nil {
		return err
	}
	for _, jail := range jails {
		jid, path, _ := strings.Cut(jail, " ")
		if !strings.HasPrefix(filepath.Base(filepath.Dir(filepath.Dir(path))), namespaces) {
			continue
		}
		if _, err := output("jail", "-r", jid); err != nil {
			return err
		}
	}
	return nil
}

// mountsUnder returns the mount points below dir in the order they were made.
func mountsUnder(dir string) ([]string, error) {
	n, err := unix.Getfsstat(nil, unix.MNT_NOWAIT)
	if err != nil {
		return nil, err
	}
	mounts := make([]unix.Statfs_t, n+16) // room for mounts made meanwhile
	if n, err = unix.Getfsstat(mounts, unix.MNT_NOWAIT); err != nil {
		return nil, err
	}
	var points []string
	for _, m := range mounts[:n] {
		if point := unix.ByteSliceToString(m.Mntonname[:]); strings.HasPrefix(point, dir+"/") {
			points = append(points, point)
		}
	}
	return points, nil
}

// runtimeState returns what the OCI runtime under containerd's own shim keeps of
// a namespace's containers: there is none here.
func runtimeState(string) []string { return nil }

// Descriptors returns how many descriptors a process has open.
func Descriptors(pid int) (int, error) {
	lines, err := output("procstat", "-h", "-f", strconv.Itoa(pid))
	return len(lines), err
}

// MemoryLimit returns the limit in bytes that a container's processes are under.
func MemoryLimit(namespace, id string) (int64, error) {
	jails, err := output("jls", "-d", "name", "path")
	if err != nil {
		return 0, err
	}
	for _, jail := range jails {
		name, path, _ := strings.Cut(jail, " ")
		if !strings.Contains(path, "/"+namespace+"/"+id+"/") {
			continue
		}
		rules, err := output("rctl", "jail:"+name+":memoryuse")
		if err != nil {
			return 0, err
		}
		for _, rule := range rules {
			if _, amount, ok := strings.Cut(rule, "="); ok {
				amount, _, _ = strings.Cut(amount, "/")
				return strconv.ParseInt(amount, 10, 64)
			}
		}
	}
	return 0, fmt.Errorf("no rule about the memory of %s/%s: %w", namespace, id, os.ErrNotExist)
}

// MemoryAccounting is needed to limit memory and to see that a limit was hit.
var MemoryAccounting = Need{
	Name: "resource accounting",
	Check: func() error {
		on, err := unix.SysctlUint32("kern.racct.enable")
		if err == nil && on == 0 {
			err = fmt.Errorf("kern.racct.enable is 0")
		}
		return err
	},
	Get: "put kern.racct.enable=1 into /boot/loader.conf and reboot",
}

// PoststartAtCreate tells whether poststart hooks run before the start.
const PoststartAtCreate = false

// WithHostDir makes a folder of the host a container's folder.
func WithHostDir(host, container string) oci.SpecOpts {
	return oci.WithMounts([]specs.Mount{{Type: "nullfs", Source: host, Destination: container}})
}

// output runs a command and returns its lines.
func output(name string, args ...string) ([]string, error) {
	out, err := exec.Command(name, args...).Output()
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	var lines []string
	for line := range strings.Lines(string(out)) {
		lines = append(lines, strings.TrimRight(line, "\n"))
	}
	return lines, nil
}

// OpenTerminal makes a pseudo terminal: master is the screen and keyboard, slave is
// for a program.
func OpenTerminal() (master, slave *os.File, err error) {
	// x/sys has the number, no wrapper. A new terminal is neither locked nor
	// somebody else's here.
	fd, _, errno := unix.Syscall(unix.SYS_POSIX_OPENPT, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0, 0)
	if errno != 0 {
		return nil, nil, fmt.Errorf("posix_openpt: %w", errno)
	}
	master = os.NewFile(fd, "pty")
	n, err := unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
	if err == nil {
		slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	}
	if err != nil {
		return nil, nil, errors.Join(err, master.Close())
	}
	return master, slave, nil
}
