package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"jailshim/test/daemon"
)

// page is the name of the result's files.
const page = "bench"

// What the page and the picture say about the comparison.
const (
	sameFor  = "runc and image"
	plotPeer = "containerd's runc shim"
)

// The runtime to compare ours with, and what is promised about it.
const defaultPeer = "io.containerd.runc.v2"

// peerHolds says that the other runtime can be asked to kill what runs.
const peerHolds = true

var promised = promises{run: notSlower, client: notSlower, exec: notSlower}

// annotations are those of all containers.
var annotations map[string]string

// memoryParts is how many parts of a memory sample the kernel tells.
const memoryParts = 4

// hostConfig is what the command line says on this system alone.
type hostConfig struct{}

func (*hostConfig) flags() {}

func (*config) prepare(*daemon.Daemon) {}

// hostMeasures measures what there is on this system alone.
func (*bench) hostMeasures(*report) error { return nil }

// shimOf returns the shim of a container's first process: its parent, because a
// shim is the reaper of what runc leaves.
func shimOf(pid int) (int, error) {
	status, err := fields(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	parent, err := strconv.Atoi(status["PPid"])
	if err != nil {
		return 0, fmt.Errorf("parent of process %d: %w", pid, err)
	}
	program, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", parent))
	if err != nil {
		return 0, err
	}
	if !strings.HasPrefix(filepath.Base(program), "containerd-shim-") {
		return 0, fmt.Errorf("parent of process %d is no shim but %s", pid, program)
	}
	return parent, nil
}

// memoryOf reads the memory of a process. See proc_pid_status(5).
func memoryOf(pid int) (m memory, err error) {
	status, err := fields(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return memory{}, err
	}
	rollup, err := fields(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return memory{}, err
	}
	for _, v := range []struct {
		to   *float64
		from map[string]string
		name string
	}{
		{&m.rss, status, "VmRSS"},
		{&m.anon, status, "RssAnon"},
		{&m.file, status, "RssFile"},
		{&m.pss, rollup, "Pss"},
	} {
		kib, err := strconv.ParseFloat(strings.TrimSuffix(v.from[v.name], " kB"), 64)
		if err != nil {
			return memory{}, fmt.Errorf("%s of process %d: %w", v.name, pid, err)
		}
		*v.to = kib * 1024
	}
	return m, nil
}

// fields reads a file of lines "Name: value".
func fields(file string) (map[string]string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	values := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		values[name] = strings.TrimSpace(value)
	}
	return values, nil
}

// kernelName returns the kernel's name and its version without what a distributor
// added, and the version of cgroups, all of which matter for the figures.
func kernelName() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "Linux"
	}
	release := strings.SplitN(unix.ByteSliceToString(u.Release[:]), ".", 3)
	cgroup := "cgroup 1"
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err == nil {
		cgroup = "cgroup 2"
	}
	return "Linux " + strings.Join(release[:min(2, len(release))], ".") + ", " + cgroup
}

// busy tells how many processes wanted a processor during the last minute.
func busy() (float64, error) {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(text), " ")
	return strconv.ParseFloat(first, 64)
}
