package daemon

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// unmountFlags remove a mount whatever is open in it.
const unmountFlags = unix.MNT_FORCE

// processes returns the command lines of all processes, by pid, that have to do
// with the daemon: its folder is in their command line or environment, or they
// are in a jail whose root is below that folder.
func (d *Daemon) processes() (map[int]string, error) {
	jails, err := d.jails()
	if err != nil {
		return nil, err
	}
	mine := map[string]bool{}
	for _, j := range jails {
		mine[j.id] = true
	}
	// e: with the environment, which root sees of every process.
	lines, err := output("ps", "-axwwe", "-o", "pid=,jid=,command=")
	if err != nil {
		return nil, err
	}
	found := map[int]string{}
	for _, line := range lines {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			return nil, fmt.Errorf("ps printed %q", line)
		}
		pid, err := strconv.Atoi(fields[0])
		if err != nil {
			return nil, fmt.Errorf("ps printed %q: %w", line, err)
		}
		if pid != os.Getpid() && (strings.Contains(line, d.Dir) || mine[fields[1]]) {
			found[pid] = strings.Join(fields[2:], " ")
		}
	}
	return found, nil
}

// jail is a jail by its number, with its root folder.
type jail struct{ id, path string }

func (j jail) String() string { return j.id + " " + j.path }

// jails returns the jails, dying ones included, whose root is below the daemon's
// folder.
func (d *Daemon) jails() ([]jail, error) {
	lines, err := output("jls", "-d", "jid", "path")
	if err != nil {
		return nil, err
	}
	var found []jail
	for _, line := range lines {
		id, path, _ := strings.Cut(line, " ")
		if strings.HasPrefix(path, d.Dir+"/") {
			found = append(found, jail{id, path})
		}
	}
	return found, nil
}

// mountsBelow returns the mount points below dir in the order they were made.
func mountsBelow(dir string) ([]string, error) {
	n, err := unix.Getfsstat(nil, unix.MNT_NOWAIT)
	if err != nil {
		return nil, fmt.Errorf("getfsstat: %w", err)
	}
	mounts := make([]unix.Statfs_t, n+16) // room for mounts made meanwhile
	if n, err = unix.Getfsstat(mounts, unix.MNT_NOWAIT); err != nil {
		return nil, fmt.Errorf("getfsstat: %w", err)
	}
	var points []string
	for _, m := range mounts[:n] {
		if point := unix.ByteSliceToString(m.Mntonname[:]); strings.HasPrefix(point, dir+"/") {
			points = append(points, point)
		}
	}
	return points, nil
}

// kernelObjects returns what of the namespace's containers is elsewhere on the
// host: their jails.
func (d *Daemon) kernelObjects() ([]Kind, error) {
	jails, err := d.jails()
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, j := range jails {
		lines = append(lines, j.String())
	}
	return []Kind{{"jails", lines}}, nil
}

// removeKernelObjects removes the jails.
func (d *Daemon) removeKernelObjects() error {
	jails, err := d.jails()
	if err != nil {
		return err
	}
	for _, j := range jails {
		if _, err := output("jail", "-r", j.id); err != nil {
			return err
		}
	}
	return nil
}

// output runs a command and returns the lines that it prints.
func output(name string, args ...string) ([]string, error) {
	out, err := exec.Command(name, args...).Output()
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return strings.FieldsFunc(string(out), func(r rune) bool { return r == '\n' }), nil
}
