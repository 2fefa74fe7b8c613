package ociruntime

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/containerd/cgroups/v3"
	"github.com/containerd/cgroups/v3/cgroup1"
	"github.com/containerd/cgroups/v3/cgroup2"
	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"
)

// pidNamespaces tells whether the kernel ends all processes of a container with
// its init when the spec says that it has pids of its own.
const pidNamespaces = true

// cgroup is the cgroup of a container, of either version. A nil one is usable
// and knows nothing.
type cgroup struct {
	v1    cgroup1.Cgroup   // nil on a host with version 2
	v2    *cgroup2.Manager // nil on a host with version 1
	oom   func()
	event *os.File // the kernel's notice of version 1; nil if there is none

	mu       sync.Mutex // guards the fields below
	reported uint64     // kills that oom was called for
	closed   bool
}

// watchCgroup returns the cgroup of pid, and calls oom for each kill for want of
// memory in it. A process without a cgroup that can be read yields nil, and the
// log says why: a container runs also without statistics.
func watchCgroup(pid int, oom func()) *cgroup {
	c, err := loadCgroup(pid)
	if err != nil {
		slog.Warn("no statistics for the container: its cgroup can't be read", "pid", pid, "error", err)
		return nil
	}
	c.oom = oom
	if oom == nil {
		return c
	}
	if c.v2 != nil {
		// goroutine: the cgroup; ends when the cgroup is empty or gone.
		go c.watchV2()
		return c
	}
	if err := c.openEvent(); err != nil {
		slog.Debug("no notice of kills for want of memory", "pid", pid, "error", err)
		return c
	}
	// goroutine: the cgroup; ends when the cgroup is gone, or at close.
	go c.watchV1()
	return c
}

func loadCgroup(pid int) (*cgroup, error) {
	if cgroups.Mode() == cgroups.Unified {
		_, path, err := cgroups.ParseCgroupFileUnified(fmt.Sprintf("/proc/%d/cgroup", pid))
		if err != nil {
			return nil, err
		}
		if path == "" {
			return nil, errors.New("it is in none of version 2")
		}
		m, err := cgroup2.Load(path)
		return &cgroup{v2: m}, err
	}
	g, err := cgroup1.Load(cgroup1.PidPath(pid))
	if err != nil {
		return nil, err
	}
	return &cgroup{v1: g}, nil
}

// openEvent asks the kernel for notices, as an eventfd that can be waited for.
func (c *cgroup) openEvent() error {
	fd, err := c.v1.OOMEventFD()
	if err != nil {
		return err
	}
	if err := unix.SetNonblock(int(fd), true); err != nil {
		unix.Close(int(fd))
		return err
	}
	c.event = os.NewFile(fd, "oom eventfd")
	return nil
}

// killDelays are how long after a notice of version 1 the count of kills is
// looked at: the kernel tells that memory is out before it kills.
var killDelays = []time.Duration{0, 10 * time.Millisecond, 50 * time.Millisecond, 250 * time.Millisecond}

func (c *cgroup) watchV1() {
	buf := make([]byte, 8)
	for {
		if _, err := c.event.Read(buf); err != nil {
			return // closed
		}
		if c.v1.State() == cgroup1.Deleted {
			c.event.Close()
			return
		}
		for _, d := range killDelays {
			time.Sleep(d)
			if c.reportKills() {
				break
			}
		}
	}
}

func (c *cgroup) watchV2() {
	events, errs := c.v2.EventChan()
	for {
		select {
		case <-events:
			c.reportKills()
		case err := <-errs: // nil is the end of the cgroup
			if err != nil {
				slog.Warn("no more notices of kills for want of memory", "error", err)
			}
			c.reportKills()
			return
		}
	}
}

// reportKills calls oom for each kill that has not been reported, and says
// whether there was one. When it returns, all have been.
func (c *cgroup) reportKills() bool {
	if c == nil || c.oom == nil {
		return false
	}
	n, err := c.kills()
	if err != nil {
		return false // the cgroup is gone
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || n <= c.reported {
		return false
	}
	for ; c.reported < n; c.reported++ {
		c.oom()
	}
	return true
}

// kills returns how many processes the kernel has killed for want of memory.
func (c *cgroup) kills() (uint64, error) {
	if c.v2 != nil {
		m, err := c.v2.StatFiltered(cgroup2.StatMemoryEvents)
		if err != nil {
			return 0, err
		}
		return m.GetMemoryEvents().GetOomKill(), nil
	}
	m, err := c.v1.Stat(cgroup1.IgnoreNotExist)
	if err != nil {
		return 0, err
	}
	return m.GetMemoryOomControl().GetOomKill(), nil
}

// stats returns what the cgroup counts. A cgroup that is gone is an error
// wrapping errdefs.ErrNotFound.
func (c *cgroup) stats() (proto.Message, error) {
	var (
		m   proto.Message
		err error
	)
	if c.v2 != nil {
		m, err = c.v2.Stat()
	} else {
		m, err = c.v1.Stat(cgroup1.IgnoreNotExist)
	}
	if errors.Is(err, cgroup1.ErrCgroupDeleted) || errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("statistics: %w: %w", errdefs.ErrNotFound, err)
	}
	if err != nil {
		return nil, fmt.Errorf("statistics: %w", err)
	}
	return m, nil
}

// close ends the watching. The cgroup itself is the OCI runtime's to remove.
func (c *cgroup) close() {
	if c == nil {
		return
	}
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	if c.event != nil {
		c.event.Close()
	}
}

// removable reports whether a path is that of a cgroup below the root.
func removable(path string) bool {
	return strings.HasPrefix(path, "/") && strings.Trim(path, "/") != ""
}

// inUse reports whether processes run in a cgroup.
func inUse(path string) bool {
	if !removable(path) {
		return false
	}
	if cgroups.Mode() == cgroups.Unified {
		m, err := cgroup2.Load(path)
		if err != nil {
			return false
		}
		pids, err := m.Procs(true)
		return err == nil && len(pids) > 0
	}
	g, err := cgroup1.Load(cgroup1.StaticPath(path))
	if err != nil {
		return false
	}
	all, err := g.Processes(cgroup1.Freezer, true)
	return err == nil && len(all) > 0
}

// removeCgroup removes a cgroup that a killed command may have left, with what
// runs in it. It must be the container's own. One that does not exist is not an error.
func removeCgroup(path string) error {
	if !removable(path) {
		return nil
	}
	if cgroups.Mode() == cgroups.Unified {
		m, err := cgroup2.Load(path)
		if err != nil {
			return err
		}
		if err := m.Kill(); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("cgroup %s: %w", path, err)
		}
		if err := m.Delete(); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("cgroup %s: %w", path, err)
		}
		return nil
	}
	g, err := cgroup1.Load(cgroup1.StaticPath(path))
	if errors.Is(err, cgroup1.ErrCgroupDeleted) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cgroup %s: %w", path, err)
	}
	if procs, err := g.Processes(cgroup1.Freezer, true); err == nil {
		for _, p := range procs {
			_ = unix.Kill(p.Pid, unix.SIGKILL)
		}
	}
	if err := g.Delete(); err != nil && !errors.Is(err, cgroup1.ErrCgroupDeleted) {
		return fmt.Errorf("cgroup %s: %w", path, err)
	}
	return nil
}
