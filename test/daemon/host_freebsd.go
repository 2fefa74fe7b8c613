package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"jailshim/jailctl/kernel"
	"jailshim/netsetup"
)

// DefaultSnapshotter is the snapshotter to use if nobody asks for another.
const DefaultSnapshotter = "native"

// unmountFlags remove a mount whatever is open in it.
const unmountFlags = unix.MNT_FORCE

// containments is what [Containment]s are called here.
const containments = "jails"

// ProcessesWith returns the processes, except the caller, whose command line or
// environment contains text, with their command lines.
func ProcessesWith(text string) (map[int]string, error) {
	processes, err := kernel.Processes()
	if err != nil {
		return nil, err
	}
	found := map[int]string{}
	for _, p := range processes {
		if p.Pid == os.Getpid() {
			continue
		}
		// A process that ends meanwhile has neither, nor have the kernel's own.
		args, err := unix.SysctlRaw("kern.proc.args", p.Pid)
		if err != nil {
			continue
		}
		env, err := environment(p.Pid)
		if bytes.Contains(args, []byte(text)) || err == nil && bytes.Contains(env, []byte(text)) {
			found[p.Pid] = words(args)
		}
	}
	return found, nil
}

// commandLine returns the command line of a process; of none that has ended.
func commandLine(pid int) string {
	b, err := unix.SysctlRaw("kern.proc.args", pid)
	if err != nil {
		return ""
	}
	return words(b)
}

// environment returns the environment of a process. The kernel can't be asked for
// its size, as x/sys would.
func environment(pid int) ([]byte, error) {
	const (
		ctlKern, kernProc, kernProcEnv = 1, 14, 35 // CTL_KERN, KERN_PROC, KERN_PROC_ENV: sys/sys/sysctl.h
		argMax                         = 512 << 10 // ARG_MAX, sys/sys/syslimits.h
	)
	mib := [4]int32{ctlKern, kernProc, kernProcEnv, int32(pid)}
	b := make([]byte, argMax)
	n := uintptr(len(b))
	_, _, errno := unix.Syscall6(unix.SYS___SYSCTL,
		uintptr(unsafe.Pointer(&mib[0])), uintptr(len(mib)), uintptr(unsafe.Pointer(&b[0])), uintptr(unsafe.Pointer(&n)), 0, 0)
	// 15.1 says ENOMEM with all of it in the buffer.
	if errno != 0 && (errno != unix.ENOMEM || n >= argMax) {
		return nil, errno
	}
	return b[:n], nil
}

// jails returns the jails of a namespace's containers, and of those namespaces
// whose names begin with that name and a "-"; dying ones too.
//
// A container's jail bears its namespace in its name, if our runtime made it;
// another runtime's has at least its root in the container's bundle.
func jails(namespace string) ([]kernel.JailInfo, error) {
	all, err := kernel.Jails(true)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(j kernel.JailInfo) bool {
		return !names(j.Name, namespace) && !among(filepath.Base(filepath.Dir(filepath.Dir(j.Path))), namespace)
	}), nil
}

// Contained returns the containments of a namespace's containers, and of those
// namespaces whose names begin with that name and a "-".
func Contained(namespace string) ([]Containment, error) {
	mine, err := jails(namespace)
	if err != nil {
		return nil, err
	}
	processes, err := kernel.Processes()
	if err != nil {
		return nil, err
	}
	var all []Containment
	for _, j := range mine {
		c := Containment{Name: fmt.Sprintf("%d %s", j.ID, j.Name), Dying: j.Dying}
		for _, p := range processes {
			if p.Jid == j.ID {
				c.Pids = append(c.Pids, p.Pid)
			}
		}
		all = append(all, c)
	}
	return all, nil
}

// removeContained removes the jails of the namespaces, and the rules about them.
func removeContained(namespace string) error {
	mine, err := jails(namespace)
	if err != nil {
		return err
	}
	for _, info := range mine {
		if info.Dying {
			continue // all that holds it is being removed
		}
		j, err := kernel.OpenJailID(info.ID)
		if err == nil {
			err = errors.Join(j.Remove(), j.Close())
		}
		if err != nil && !errors.Is(err, unix.ENOENT) {
			return err
		}
	}
	rules, err := rules(namespace)
	if err != nil {
		return err
	}
	for _, r := range rules {
		if err := kernel.RemoveRules(r.Jail); err != nil {
			return err
		}
	}
	return nil
}

// rules returns the resource rules about jails of the namespaces: they outlive
// their jail.
func rules(namespace string) ([]kernel.Rule, error) {
	if !kernel.RacctEnabled() {
		return nil, nil // there can't be any
	}
	all, err := allRules()
	return slices.DeleteFunc(all, func(r kernel.Rule) bool { return !names(r.Jail, namespace) }), err
}

// allRules returns the rules about all jails, also those that are gone.
func allRules() ([]kernel.Rule, error) {
	filter := []byte("jail::\x00")
	for size := 16 << 10; ; size *= 4 {
		out := make([]byte, size)
		_, _, errno := unix.Syscall6(unix.SYS_RCTL_GET_RULES,
			uintptr(unsafe.Pointer(&filter[0])), uintptr(len(filter)), uintptr(unsafe.Pointer(&out[0])), uintptr(len(out)), 0, 0)
		switch {
		case errno == 0:
			return kernel.ParseRules(unix.ByteSliceToString(out))
		case errno != unix.ERANGE || size > 8<<20:
			return nil, fmt.Errorf("rctl_get_rules %q: %w", filter, errno)
		}
	}
}

// kernelObjects returns what there is of the namespaces besides processes,
// containments, mounts and files of ours.
func kernelObjects(namespace string) ([]Kind, error) {
	found, err := rules(namespace)
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, r := range found {
		lines = append(lines, r.String())
	}
	places, err := places(namespace)
	return []Kind{{"resource rule", "resource rules", lines}, {"place in a network", "places in networks", places}}, err
}

// places returns the places of a namespace's containers in the machine's networks.
func places(namespace string) ([]string, error) {
	m, err := netsetup.Open(netsetup.Options{})
	if err != nil {
		return nil, err
	}
	all, err := m.Networks(context.Background())
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, n := range all {
		for _, member := range n.Members {
			if names(member.Owner, namespace) {
				lines = append(lines, fmt.Sprintf("%s of %s, addresses %v, interface there: %v", member.Owner, n.Name, member.Addrs, member.Attached))
			}
		}
	}
	return lines, nil
}

// HostWide returns objects of the host that can't be told to belong to anybody,
// so that only a comparison before and after a run shows something: the sets of
// rules about devices, and ends of epairs.
func HostWide() ([]string, error) {
	sets, err := kernel.Rulesets("/dev")
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, n := range sets {
		lines = append(lines, fmt.Sprintf("devfs ruleset %d", n))
	}
	interfaces, err := net.Interfaces()
	for _, i := range interfaces {
		if strings.HasPrefix(i.Name, "jn") || strings.HasPrefix(i.Name, "epair") {
			lines = append(lines, "interface "+i.Name)
		}
	}
	return lines, err
}

// MountsBelow returns the mount points below the folders in the order they were
// made.
func MountsBelow(dirs ...string) ([]string, error) {
	mounts, err := kernel.Mounts()
	var points []string
	for _, m := range mounts {
		if below(m.On, dirs) {
			points = append(points, m.On)
		}
	}
	return points, err
}

// Descriptors returns how many descriptors a process has open.
func Descriptors(pid int) (int, error) {
	b, err := unix.SysctlRaw("kern.proc.filedesc", pid)
	if err != nil {
		return 0, fmt.Errorf("descriptors of process %d: %w", pid, err)
	}
	return countDescriptors(b)
}

// Resident returns how many bytes of memory a process has resident.
func Resident(pid int) (int64, error) {
	p, err := kernel.ProcessByID(pid)
	return p.RSS, err
}

// MemoryLimit returns the limit in bytes that a container's processes are under.
func MemoryLimit(namespace, id string) (int64, error) {
	mine, err := jails(namespace)
	if err != nil {
		return 0, err
	}
	for _, j := range mine {
		if !names(j.Name, namespace+"-"+id) && !strings.Contains(j.Path, "/"+namespace+"/"+id+"/") {
			continue
		}
		rules, err := kernel.Rules(j.Name)
		if err != nil {
			return 0, err
		}
		for _, r := range rules {
			if r.Resource == "memoryuse" {
				return int64(r.Amount), nil
			}
		}
	}
	return 0, fmt.Errorf("no rule about the memory of %s/%s: %w", namespace, id, os.ErrNotExist)
}

// MemoryAccounting returns an error if memory can't be limited, and what to do
// about it.
func MemoryAccounting() (get string, err error) {
	if !kernel.RacctEnabled() {
		err = errors.New("kern.racct.enable is 0")
	}
	return "put kern.racct.enable=1 into /boot/loader.conf and reboot", err
}

// OpenTerminal makes a pseudo terminal: master is the screen and keyboard, slave
// is for a program.
func OpenTerminal() (master, slave *os.File, err error) {
	master, path, err := kernel.OpenPTY()
	if err != nil {
		return nil, nil, err
	}
	slave, err = os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, nil, errors.Join(err, master.Close())
	}
	return master, slave, nil
}
