package ociruntime

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/containerd/errdefs"
	runc "github.com/containerd/go-runc"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"jailshim/driver"
	"jailshim/internal/fault"
)

// container is one container of an OCI runtime command. All fields are fixed
// once Create has returned it.
type container struct {
	id      string
	bundle  string
	config  *Config
	cmd     *runc.Runc
	cgroups string // the path in the spec
	ownPids bool   // the kernel ends all processes with the init
	init    driver.Process
	cgroup  *cgroup // nil if there is none to watch
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
func (k *container) Stats(context.Context) (any, error) {
	if k.cgroup == nil {
		return nil, fmt.Errorf("statistics: the OCI runtime %s has no cgroup to read: %w", filepath.Base(k.config.Command), errdefs.ErrNotImplemented)
	}
	return k.cgroup.stats()
}

// Update implements driver.Container.
func (k *container) Update(ctx context.Context, r *specs.LinuxResources) error {
	if err := k.cmd.Update(ctx, k.id, r); err != nil {
		return explain("update", k.cmd.Log, err)
	}
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
	if err := unmountRoot(k.bundle); err != nil {
		return err
	}
	return fault.Point(fault.DeleteUnmounted)
}
