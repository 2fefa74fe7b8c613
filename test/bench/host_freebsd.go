package main

import (
	"encoding/binary"
	"flag"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"jailshim/jailctl/kernel"
	"jailshim/test/daemon"
)

// page is the name of the result's files.
const page = "bench-freebsd"

// What the page and the picture say about the comparison.
const (
	sameFor  = "snapshotter and image"
	plotPeer = "what it is compared with"
)

// There is no other runtime on a machine unless somebody has put it there: runj
// is, with the option -runj.
const (
	defaultPeer = ""
	runjRuntime = "wtf.sbk.runj.v1"
)

// peerHolds says that the other runtime can be asked to kill what runs: runj
// does it by kill(1) from the container's image, and ours has none.
const peerHolds = false

var promised = promises{run: &bound{Ratio: true, Max: 0.5}}

// annotations are those of all containers: with the network of the host, which
// is all that runj has. To make and remove a network takes the kernel longer than
// everything else together.
var annotations = map[string]string{"io.containerd.jail.network": "host"}

// memoryParts is how many parts of a memory sample the kernel tells.
const memoryParts = 1

// hostConfig is what the command line says on this system alone.
type hostConfig struct {
	runj    string // folder of runj's programs
	ocijail string // path of ocijail
	many    int    // jails alive at once
}

func (c *hostConfig) flags() {
	flag.StringVar(&c.runj, "runj", "", "`folder` of runj, runj-entrypoint and containerd-shim-runj-v1, to compare with")
	flag.StringVar(&c.ocijail, "ocijail", "", "`path` of ocijail, to compare with")
	flag.IntVar(&c.many, "many", 500, "jails alive at once; 0: don't")
}

// prepare makes what is to be compared with be found.
func (c *config) prepare(d *daemon.Daemon) {
	if c.runj != "" {
		c.theirs = runjRuntime
		d.Path = append(d.Path, c.runj)
	}
}

// shimOf returns the shim of a container's first process: its parent, because a
// shim is the reaper of what a runtime leaves.
func shimOf(pid int) (int, error) {
	p, err := kernel.ProcessByID(pid)
	if err != nil {
		return 0, err
	}
	parent, err := kernel.ProcessByID(p.PPid)
	if err != nil {
		return 0, err
	}
	if !strings.HasPrefix(parent.Comm, "containerd-shim-") {
		return 0, fmt.Errorf("parent of process %d is no shim but %s", pid, parent.Comm)
	}
	return parent.Pid, nil
}

// memoryOf reads the memory of a process.
func memoryOf(pid int) (memory, error) {
	p, err := kernel.ProcessByID(pid)
	return memory{rss: float64(p.RSS)}, err
}

// kernelName returns the kernel's name and its release, and whether it accounts
// for resources, all of which matter for the figures.
func kernelName() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "FreeBSD"
	}
	racct := "no racct"
	if kernel.RacctEnabled() {
		racct = "racct"
	}
	release, _, _ := strings.Cut(unix.ByteSliceToString(u.Release[:]), "-")
	return "FreeBSD " + release + ", " + racct
}

// busy tells how many processes wanted a processor during the last minute.
func busy() (float64, error) {
	// struct loadavg, sys/sys/resource.h: three numbers, and after a gap the
	// number that stands for one.
	b, err := unix.SysctlRaw("vm.loadavg")
	if err != nil {
		return 0, err
	}
	if len(b) != 24 {
		return 0, fmt.Errorf("vm.loadavg has %d bytes, want 24", len(b))
	}
	return float64(binary.NativeEndian.Uint32(b)) / float64(binary.NativeEndian.Uint64(b[16:])), nil
}
