package jailctl

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"syscall"

	"github.com/containerd/errdefs"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"jailshim/driver"
	"jailshim/internal/fault"
	"jailshim/jailctl/kernel"
	"jailshim/jailctl/plan"
	"jailshim/jailctl/stage"
	"jailshim/netsetup"
	"jailshim/netsetup/link"
)

// Container is one container that is a jail.
type Container struct {
	rt       *Runtime
	name     string     // its folder; see Runtime.name
	oom      func()     // may be nil
	base     string     // the host's path of the root as the image has it
	plan     *plan.Plan // nil for a loaded container
	console  *os.File
	detached bool              // another process will start it
	networks *netsetup.Manager // while it is made, if it is to have something of networks
	inJail   []link.Call       // what its first process does about its network

	changing sync.Mutex // held by Pause, Resume and Update, which save a state and then act on it

	telling sync.Mutex // held while a kill is told, so that it is told before the exit

	saving sync.Mutex // guards the field below, and the file
	saved  []byte     // the state as it is on disk, if this process wrote it

	mu     sync.Mutex // guards the fields below
	state  State
	jail   *kernel.Jail   // nil before it is made, and for a loaded container
	stage  *stage.Process // waits for Start; nil after
	execs  map[int]struct{}
	gone   bool  // the jail is, and the init with it
	killed bool  // the kernel killed a process of it, and nobody was told yet
	usage  usage // see stats.go
}

var _ driver.Container = (*Container)(nil)

// tellIgnored logs once what of the spec has no effect.
func (k *Container) tellIgnored() {
	if len(k.plan.Ignored) > 0 {
		slog.Debug("parts of the spec have no effect on FreeBSD", "container", k.state.ID, "fields", k.plan.Ignored)
	}
}

// Init implements driver.Container.
func (k *Container) Init() driver.Process {
	k.mu.Lock()
	defer k.mu.Unlock()
	return driver.Process{Pid: k.state.Init.Pid, Console: k.console}
}

// Start implements driver.Container.
func (k *Container) Start(ctx context.Context) error {
	k.mu.Lock()
	s, st := k.stage, k.state
	k.mu.Unlock()
	if s != nil || k.detached {
		if err := k.startHooks(ctx, &st); err != nil {
			return err
		}
	}
	deadline := until(ctx, stageTimeout)
	var err error
	switch {
	case s != nil:
		err = errors.Join(s.Go(deadline), k.closeStage())
	case k.detached:
		err = stage.GoAt(k.rt.store.goSocket(k.name), deadline)
	default:
		return fmt.Errorf("container %q: it has been started: %w", k.state.ID, errdefs.ErrFailedPrecondition)
	}
	if err != nil {
		return errorf(k.state.Jail, "start: %w", explainStage(err))
	}
	if err := k.rt.runHooks(ctx, "poststart", onHost, st.Poststart, st.oci(specs.StateRunning)); err != nil {
		return errorf(st.Jail, "%w", err)
	}
	return nil
}

// closeStage ends the conversation with the init's first stage.
func (k *Container) closeStage() error {
	k.mu.Lock()
	s := k.stage
	k.stage = nil
	k.mu.Unlock()
	if s == nil {
		return nil
	}
	return s.Close()
}

// ExecOptions are what the OCI command adds to an exec.
type ExecOptions struct {
	Keep []*os.File // open files for the process, from descriptor 3 on
}

// Exec implements driver.Container.
func (k *Container) Exec(ctx context.Context, e *driver.ExecConfig) (driver.Process, error) {
	return k.ExecWith(ctx, e, ExecOptions{})
}

// ExecWith is Exec with options.
func (k *Container) ExecWith(ctx context.Context, e *driver.ExecConfig, o ExecOptions) (_ driver.Process, retErr error) {
	k.mu.Lock()
	umask, root := k.state.Umask, k.state.Root
	k.mu.Unlock()
	// The bundle may be another's by now, or gone.
	p, err := plan.NewProcess(e.Spec, &plan.Plan{Process: plan.Process{Umask: umask}})
	if err != nil {
		return driver.Process{}, err
	}
	jail, err := k.openJail()
	if err != nil {
		return driver.Process{}, err
	}
	config := stageConfig(p, jail, root)
	config.Stdin, config.Stdout, config.Stderr, config.Keep = e.Stdio.Stdin, e.Stdio.Stdout, e.Stdio.Stderr, o.Keep
	var out driver.Process
	if e.Terminal {
		t, err := openTerminal(p)
		if err != nil {
			return out, err
		}
		defer t.slave.Close()
		out.Console = t.master
		config.Stdin, config.Stdout, config.Stderr, config.Terminal = t.slave, t.slave, t.slave, true
		defer func() {
			if retErr != nil {
				t.master.Close()
			}
		}()
	}
	s, err := stage.Start(config)
	if err != nil {
		return out, err
	}
	defer func() { _ = s.Close() }() // all has been said
	out.Pid = s.Pid
	k.addExec(s.Pid)
	defer func() {
		if retErr != nil {
			k.dropExec(s.Pid)
			retErr = errors.Join(retErr, reapChild(s.Pid))
		}
	}()
	if err := fault.Point(fault.JailExecStage); err != nil {
		return out, err
	}
	if err := s.Ran(until(ctx, stageTimeout)); err != nil {
		return out, errorf(k.state.Jail, "exec: %w", explainStage(err))
	}
	return out, fault.Point(fault.ExecRuntime)
}

// addExec remembers a process that somebody else will wait for. Those that have
// been waited for are forgotten here and not when they end: until it is reaped,
// nobody must take a zombie for an orphan.
func (k *Container) addExec(pid int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for old := range k.execs {
		if p, err := kernel.ProcessByID(old); err != nil || p.PPid != os.Getpid() {
			delete(k.execs, old)
		}
	}
	k.execs[pid] = struct{}{}
}

func (k *Container) dropExec(pid int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.execs, pid)
}

// owns reports whether pid is the init or an exec.
func (k *Container) owns(pid int) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	_, ok := k.execs[pid]
	return ok || pid == k.state.Init.Pid
}

// openJail returns the container's jail. One that is gone is an error wrapping
// errdefs.ErrFailedPrecondition, if it was not opened before.
func (k *Container) openJail() (*kernel.Jail, error) {
	k.mu.Lock()
	j, st := k.jail, k.state
	k.mu.Unlock()
	if j != nil {
		return j, nil
	}
	j, err := openOwn(&st)
	if err != nil {
		return nil, err
	}
	if j == nil {
		return nil, fmt.Errorf("container %q: its jail is gone: %w", st.ID, errdefs.ErrFailedPrecondition)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.jail == nil {
		k.jail = j
	}
	return k.jail, nil
}

// livingJail returns the container's jail; nil if it is gone. One that was opened
// before is looked at again: when it is gone, its number may be another's.
func (k *Container) livingJail() (*kernel.Jail, error) {
	k.mu.Lock()
	opened := k.jail != nil
	k.mu.Unlock()
	j, err := k.openJail()
	if errdefs.IsFailedPrecondition(err) || isGone(err) {
		return nil, nil
	}
	if err != nil || !opened {
		return j, err
	}
	values, err := j.Get("name")
	if isGone(err) || err == nil && kernel.DecodeString(values["name"]) != j.Name {
		return nil, nil
	}
	return j, err
}

// reapChild kills a child that nobody else will wait for, and waits for it.
func reapChild(pid int) error {
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		return fmt.Errorf("kill process %d: %w", pid, err)
	}
	for {
		_, err := syscall.Wait4(pid, nil, 0, nil)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// Delete implements driver.Container.
func (k *Container) Delete(ctx context.Context) error {
	if err := k.closeStage(); err != nil {
		return err
	}
	k.mu.Lock()
	st, gone := k.state, k.gone
	k.mu.Unlock()
	if err := k.rt.remove(ctx, k.name, &st, gone, fault.Point); err != nil {
		return err
	}
	k.forget()
	return fault.Point(fault.DeleteRuntime)
}

// abandon takes back a container that could not be made, with the init that
// nobody knows of.
func (k *Container) abandon(ctx context.Context) error {
	k.mu.Lock()
	st := k.state
	k.mu.Unlock()
	var errs []error
	if k.console != nil {
		k.console.Close()
	}
	if st.Init.Pid != 0 {
		errs = append(errs, reapChild(st.Init.Pid))
		st.Init = ProcessID{} // and its pid may be another's now
	}
	errs = append(errs, k.rt.remove(ctx, k.name, &st, false, nil))
	k.forget()
	return errors.Join(errs...)
}

// forget drops what the process itself holds of the container.
func (k *Container) forget() {
	k.rt.drop(k)
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.jail != nil {
		// A descriptor alone; the jail is gone.
		_ = k.jail.Close()
		k.jail = nil
	}
}
