package ociruntime

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/containerd/errdefs"
	runc "github.com/containerd/go-runc"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"jailshim/driver"
	"jailshim/internal/fault"
)

// container is one container of an OCI runtime command. The first fields
// are fixed once Create has returned it.
type container struct {
	id      string
	bundle  string
	config  *Config
	cmd     *runc.Runc
	cgroups string // the path in the spec
	ownPids bool   // the kernel ends all processes with the init
	init    driver.Process
	cgroup  *cgroup // nil if there is none to watch
	unwatch func()  // ends watchMemory; may be nil
	oom     func()  // of CreateConfig, if there is a watchMemory

	memory atomic.Uint64 // limit in bytes; 0 is none

	telling sync.Mutex // held while kills are told, so that they are told before the exit

	mu       sync.Mutex    // guards the fields below
	usage    *driver.Usage // the last one that the command has told
	oomKills uint64        // that watchMemory has seen
	untold   int           // of them
}

var _ driver.Container = (*container)(nil)

// Init implements driver.Container.
func (k *container) Init() driver.Process { return k.init }

// Start implements driver.Container.
func (k *container) Start(ctx context.Context) error {
	if err := k.cmd.Start(ctx, k.id); err != nil {
		return explain("start", k.cmd.Log, err)
	}
	return nil
}

// Exec implements driver.Container.
func (k *container) Exec(ctx context.Context, e *driver.ExecConfig) (p driver.Process, retErr error) {
	prefix := filepath.Join(k.bundle, "exec-"+e.ID)
	opts := &runc.ExecOpts{
		PidFile: prefix + ".pid",
		LogFile: prefix + ".log.json",
		Detach:  true,
	}
	defer os.Remove(opts.PidFile)
	defer os.Remove(opts.LogFile)
	defer func() {
		if retErr != nil && p.Console != nil {
			p.Console.Close()
		}
	}()
	var socket *runc.Socket
	if e.Terminal {
		var err error
		if socket, err = runc.NewTempConsoleSocket(); err != nil {
			return p, fmt.Errorf("console socket: %w", err)
		}
		defer socket.Close()
		opts.ConsoleSocket = socket
	} else {
		streams, err := newStreams(e.Stdio)
		if err != nil {
			return p, err
		}
		defer streams.Close()
		opts.IO = streams
	}
	if err := k.cmd.Exec(ctx, k.id, *e.Spec, opts); err != nil {
		return p, explain("exec", opts.LogFile, err)
	}
	if err := fault.Point(fault.ExecRuntime); err != nil {
		return p, k.abandon(opts.PidFile, err)
	}
	var err error
	if socket != nil {
		if p.Console, err = receiveConsole(socket); err != nil {
			return p, k.abandon(opts.PidFile, err)
		}
	}
	if p.Pid, err = runc.ReadPidFile(opts.PidFile); err != nil {
		return p, fmt.Errorf("pid of the exec: %w", err)
	}
	return p, nil
}

// abandon kills a process of which the caller will never know, and returns the
// reason. It is a child that nobody has waited for, so the pid is its own.
func (k *container) abandon(pidFile string, reason error) error {
	pid, err := runc.ReadPidFile(pidFile)
	if err == nil {
		err = syscall.Kill(pid, syscall.SIGKILL)
	}
	return errors.Join(reason, err)
}

// KillAll implements driver.Container.
func (k *container) KillAll(ctx context.Context, sig syscall.Signal) error {
	if sig == syscall.SIGKILL {
		return k.killAll(ctx)
	}
	pids, err := k.Pids(ctx)
	if err != nil {
		return err
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("signal %d to process %d: %w", sig, pid, err)
		}
	}
	return nil
}

// killAll kills everything. With a pid namespace of its own the end of the init
// is the end of all; else the command kills by cgroup.
func (k *container) killAll(ctx context.Context) error {
	if k.ownPids {
		err := k.config.Signal(k.init.Pid, syscall.SIGKILL)
		if errors.Is(err, syscall.ESRCH) {
			return nil
		}
		return err
	}
	err := k.cmd.Kill(ctx, k.id, int(syscall.SIGKILL), &runc.KillOpts{All: true})
	if err == nil {
		return nil
	}
	// A command refuses to signal a container that has stopped.
	if pids, perr := k.Pids(ctx); perr == nil && len(pids) == 0 {
		return nil
	}
	return explain("kill", k.cmd.Log, err)
}

// Quiesce implements driver.Container.
func (k *container) Quiesce(ctx context.Context) error {
	k.cgroup.reportKills()
	k.tellKills()
	if k.ownPids {
		return nil
	}
	return k.killAll(ctx)
}

// Pids implements driver.Container.
func (k *container) Pids(ctx context.Context) ([]int, error) {
	pids, err := k.cmd.Ps(ctx, k.id)
	if err != nil {
		return nil, explain("ps", k.cmd.Log, err)
	}
	return pids, nil
}

// Stats implements driver.Container.
func (k *container) Stats(ctx context.Context) (any, error) {
	if k.cgroup != nil {
		return k.cgroup.stats()
	}
	return k.commandStats(ctx)
}

// commandStats asks the command, as runc has it: "events --stats". It does not answer
// for a container that has ended; that one used what it said last.
func (k *container) commandStats(ctx context.Context) (*driver.Usage, error) {
	s, err := k.askStats(ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case err == nil:
		k.usage = asUsage(s)
	case k.usage == nil:
		return nil, fmt.Errorf("statistics: there is no cgroup to read, and %s events --stats gives none: %w: %w",
			filepath.Base(k.config.Command), errdefs.ErrNotImplemented, explain("events", k.cmd.Log, err))
	}
	u := *k.usage
	u.OOMKills = k.oomKills
	return &u, nil
}

// askStats runs the command. Go-runc's own reads from a pipe that is closed when the
// command has ended, whether all was read or not.
func (k *container) askStats(ctx context.Context) (*runc.Stats, error) {
	args := []string{"--log", k.cmd.Log, "--log-format", string(k.cmd.LogFormat)}
	if k.cmd.Root != "" {
		args = append(args, "--root", k.cmd.Root)
	}
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, k.cmd.Command, append(args, "events", "--stats", k.id)...)
	cmd.Stdout = &out
	ended, err := runc.Monitor.Start(cmd)
	if err != nil {
		return nil, err
	}
	status, err := runc.Monitor.Wait(cmd, ended)
	if err == nil && status != 0 {
		err = &runc.ExitError{Status: status}
	}
	if err != nil {
		return nil, err
	}
	var e runc.Event
	if err := json.Unmarshal(out.Bytes(), &e); err != nil {
		return nil, err
	}
	if e.Stats == nil {
		return nil, errors.New("an event without statistics")
	}
	return e.Stats, nil
}

// asUsage translates statistics in runc's form.
func asUsage(s *runc.Stats) *driver.Usage {
	u := &driver.Usage{
		CPU: time.Duration(s.Cpu.Usage.Total), User: time.Duration(s.Cpu.Usage.User), System: time.Duration(s.Cpu.Usage.Kernel),
		Memory: s.Memory.Usage.Usage, MemoryLimit: s.Memory.Usage.Limit,
		Pids: s.Pids.Current, PidsLimit: s.Pids.Limit,
	}
	for _, e := range s.Blkio.IoServicedRecursive {
		switch strings.ToLower(e.Op) {
		case "read":
			u.Reads += e.Value
		case "write":
			u.Writes += e.Value
		}
	}
	return u
}

// Update implements driver.Container.
func (k *container) Update(ctx context.Context, r *specs.LinuxResources) error {
	if err := k.cmd.Update(ctx, k.id, r); err != nil {
		return explain("update", k.cmd.Log, err)
	}
	k.setMemory(r)
	return nil
}

// Pause implements driver.Container.
func (k *container) Pause(ctx context.Context) error {
	if err := k.cmd.Pause(ctx, k.id); err != nil {
		return explain("pause", k.cmd.Log, err)
	}
	return nil
}

// Resume implements driver.Container.
func (k *container) Resume(ctx context.Context) error {
	if err := k.cmd.Resume(ctx, k.id); err != nil {
		return explain("resume", k.cmd.Log, err)
	}
	return nil
}

// Delete implements driver.Container.
func (k *container) Delete(ctx context.Context) error {
	r := &Runtime{config: *k.config}
	if err := k.cmd.Delete(ctx, k.id, nil); err != nil && !r.gone(k.id) {
		// It may be half made, or still have processes.
		if err := r.remove(ctx, k.id, k.bundle, k.cgroups); err != nil {
			return err
		}
	}
	if err := fault.Point(fault.DeleteRuntime); err != nil {
		return err
	}
	k.cgroup.close()
	if k.unwatch != nil {
		k.unwatch()
	}
	if err := unmountRoot(k.bundle); err != nil {
		return err
	}
	return fault.Point(fault.DeleteUnmounted)
}
