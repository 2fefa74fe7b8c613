package ociruntime

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/containerd/containerd/v2/core/mount"
	"github.com/containerd/errdefs"
	runc "github.com/containerd/go-runc"

	"jailshim/driver"
	"jailshim/internal/fault"
)

// consoleTimeout bounds the wait for a terminal that the command has made.
const consoleTimeout = 10 * time.Second

// undoTimeout bounds the removal of a container that could not be made.
const undoTimeout = 20 * time.Second

// Config says which command runs the containers and how.
type Config struct {
	// Command is a name, looked up in PATH, or an absolute path.
	Command string
	// Root is the folder in which the command keeps its state. It stays when
	// the last container goes.
	Root string
	// The flags of the same names; see package options.
	SystemdCgroup bool
	NoPivotRoot   bool
	NoNewKeyring  bool
	// Signal sends a signal to a child of this process, or returns an error
	// wrapping ESRCH if it has ended. Nil where only Remove and Info are used.
	Signal func(pid int, sig syscall.Signal) error
	// Inspect has fn called for each process of a container that has ended and was
	// not yet waited for, until stop. It may be nil.
	Inspect func(fn func(pid int)) (stop func())
}

// Runtime runs containers with one OCI runtime command.
type Runtime struct{ config Config }

var _ driver.Runtime = (*Runtime)(nil)

// New returns a Runtime. A command that can't be found is an error wrapping
// errdefs.ErrInvalidArgument that names it.
func New(c Config) (*Runtime, error) {
	path, err := exec.LookPath(c.Command)
	if err != nil {
		return nil, fmt.Errorf("OCI runtime %q: %w: install it, or name another with the option oci_runtime: %w", c.Command, errdefs.ErrInvalidArgument, err)
	}
	c.Command = path
	return &Runtime{config: c}, nil
}

// command returns the command for one container, which logs into its bundle.
func (r *Runtime) command(bundle string) *runc.Runc {
	return &runc.Runc{
		Command:       r.config.Command,
		Root:          r.config.Root,
		Log:           filepath.Join(bundle, logFile),
		LogFormat:     runc.JSON,
		SystemdCgroup: r.config.SystemdCgroup,
		// A command must not go on when nobody can undo what it does.
		PdeathSignal: syscall.SIGKILL,
	}
}

// Names of files in the bundle.
const (
	logFile    = "log.json"
	pidFile    = "init.pid"
	configFile = "config.json"
	rootfsDir  = "rootfs"
)

// Create implements driver.Runtime.
func (r *Runtime) Create(ctx context.Context, c *driver.CreateConfig) (_ driver.Container, retErr error) {
	spec, err := readSpec(c.Bundle)
	if err == nil {
		err = checkSpec(spec)
	}
	if err != nil {
		return nil, err
	}
	k := &container{
		id:      c.ID,
		bundle:  c.Bundle,
		config:  &r.config,
		cmd:     r.command(c.Bundle),
		cgroups: ownCgroup(spec, c.ID),
		ownPids: ownPids(spec),
	}
	if inUse(k.cgroups) {
		k.cgroups = "" // another daemon has a container of this id
	}
	rootfs := filepath.Join(c.Bundle, rootfsDir)
	defer func() {
		if retErr == nil {
			return
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
		defer cancel()
		if err := r.remove(ctx, c.ID, c.Bundle, k.cgroups); err != nil {
			retErr = errors.Join(retErr, err)
		}
	}()
	if len(c.Rootfs) > 0 {
		if err := mountAll(rootfs, c.Rootfs); err != nil {
			return nil, err
		}
	}
	if err := fault.Point(fault.CreateMounted); err != nil {
		return nil, err
	}
	if k.init, err = k.create(ctx, c); err != nil {
		return nil, err
	}
	k.cgroup = watchCgroup(k.init.Pid, c.OOM)
	k.watchMemory(spec, c.OOM)
	return k, nil
}

// create runs RUNTIME create and returns the init.
func (k *container) create(ctx context.Context, c *driver.CreateConfig) (_ driver.Process, retErr error) {
	opts := &runc.CreateOpts{
		PidFile:      filepath.Join(k.bundle, pidFile),
		NoPivot:      k.config.NoPivotRoot,
		NoNewKeyring: k.config.NoNewKeyring,
	}
	var p driver.Process
	defer func() {
		if retErr != nil && p.Console != nil {
			p.Console.Close()
		}
	}()
	if c.Terminal {
		socket, err := runc.NewTempConsoleSocket()
		if err != nil {
			return p, fmt.Errorf("console socket: %w", err)
		}
		defer socket.Close()
		opts.ConsoleSocket = socket
		if err := k.cmd.Create(ctx, c.ID, c.Bundle, opts); err != nil {
			return p, explain("create", k.cmd.Log, err)
		}
		if p.Console, err = receiveConsole(socket); err != nil {
			return p, err
		}
	} else {
		streams, err := newStreams(c.Stdio)
		if err != nil {
			return p, err
		}
		defer streams.Close()
		opts.IO = streams
		if err := k.cmd.Create(ctx, c.ID, c.Bundle, opts); err != nil {
			return p, explain("create", k.cmd.Log, err)
		}
	}
	var err error
	if p.Pid, err = runc.ReadPidFile(opts.PidFile); err != nil {
		return p, fmt.Errorf("pid of the init: %w", err)
	}
	return p, nil
}

// Pid implements driver.Runtime. The bundle tells; without it, nobody.
func (r *Runtime) Pid(_, bundle string) int {
	pid, err := runc.ReadPidFile(filepath.Join(bundle, pidFile))
	if err != nil {
		return 0
	}
	return pid
}

// Remove implements driver.Runtime.
func (r *Runtime) Remove(ctx context.Context, id, bundle string) error {
	// Without the bundle there is no spec, and no cgroup to look for.
	cgroups := ""
	if spec, err := readSpec(bundle); err == nil {
		cgroups = ownCgroup(spec, id)
	}
	return r.remove(ctx, id, bundle, cgroups)
}

// remove takes away a container in whatever state it is.
func (r *Runtime) remove(ctx context.Context, id, bundle, cgroups string) error {
	cmd := r.command(bundle)
	if _, err := os.Stat(bundle); err != nil {
		cmd.Log = "" // nowhere to log to
	}
	var errs []error
	if err := cmd.Delete(ctx, id, &runc.DeleteOpts{Force: true}); err != nil && !r.gone(id) {
		errs = append(errs, explain("delete", cmd.Log, err))
	}
	if !r.config.SystemdCgroup {
		errs = append(errs, removeCgroup(cgroups))
	}
	// A create that was killed before it wrote its state leaves a folder that
	// the command itself no longer knows.
	if errors.Join(errs...) == nil {
		errs = append(errs, os.RemoveAll(filepath.Join(r.config.Root, id)))
	}
	errs = append(errs, unmountRoot(bundle))
	return errors.Join(errs...)
}

// gone reports that the command keeps no state of the container.
func (r *Runtime) gone(id string) bool {
	_, err := os.Stat(filepath.Join(r.config.Root, id))
	return errors.Is(err, fs.ErrNotExist)
}

// Info implements driver.Runtime. A command that tells no version or features
// leaves them empty.
func (r *Runtime) Info(ctx context.Context) (driver.Info, error) {
	cmd := &runc.Runc{Command: r.config.Command}
	info := driver.Info{Name: filepath.Base(r.config.Command)}
	if v, err := cmd.Version(ctx); err == nil {
		info.Version = v.Runc
	} else {
		slog.Debug("OCI runtime tells no version", "runtime", r.config.Command, "error", err)
	}
	if f, err := cmd.Features(ctx); err == nil {
		info.Features = f
	} else {
		slog.Debug("OCI runtime tells no features", "runtime", r.config.Command, "error", err)
	}
	return info, nil
}

// mountAll mounts the root file system, or nothing of it.
func mountAll(rootfs string, mounts []driver.Mount) error {
	if err := os.MkdirAll(rootfs, 0o711); err != nil {
		return err
	}
	all := make([]mount.Mount, 0, len(mounts))
	for _, m := range mounts {
		all = append(all, mount.Mount{Type: m.Type, Source: m.Source, Target: m.Target, Options: m.Options})
	}
	if err := mount.All(all, rootfs); err != nil {
		err = fmt.Errorf("mount the root file system: %w", err)
		return errors.Join(err, mount.UnmountRecursive(rootfs, 0))
	}
	return nil
}
