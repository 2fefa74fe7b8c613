package jailctl

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/containerd/errdefs"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"jailshim/driver"
	"jailshim/internal/fault"
	"jailshim/jailctl/kernel"
	"jailshim/jailctl/plan"
	"jailshim/jailctl/stage"
	"jailshim/netsetup/link"
)

const (
	// stageTimeout bounds each answer of a first stage.
	stageTimeout = 30 * time.Second
	// undoTimeout bounds the removal of a container that could not be made.
	undoTimeout = 20 * time.Second
)

// Detached says how to make a container whose maker ends before it is started.
type Detached struct {
	// Spec and Extra are what [plan.Load] has read of the bundle; nil: it is read.
	Spec  *specs.Spec
	Extra plan.Extra
	// Keep are open files for the init, from descriptor 3 on.
	Keep []*os.File
	// Listen tells how many of them, the first ones, are sockets that the init
	// finds by LISTEN_FDS in its environment, as sd_listen_fds(3) does.
	Listen int
}

// load returns the specification of a bundle.
func (d *Detached) load(bundle string) (*specs.Spec, plan.Extra, error) {
	if d != nil && d.Spec != nil {
		return d.Spec, d.Extra, nil
	}
	return plan.Load(bundle)
}

// Create implements driver.Runtime.
func (r *Runtime) Create(ctx context.Context, c *driver.CreateConfig) (driver.Container, error) {
	k, err := r.create(ctx, c, nil)
	if err != nil {
		return nil, err
	}
	return k, nil
}

// CreateDetached is Create for a container that another process will start, with
// [Container.Start] of one that Load returned.
func (r *Runtime) CreateDetached(ctx context.Context, c *driver.CreateConfig, d Detached) (*Container, error) {
	return r.create(ctx, c, &d)
}

func (r *Runtime) create(ctx context.Context, c *driver.CreateConfig, d *Detached) (_ *Container, retErr error) {
	k := &Container{rt: r, name: r.name(c.ID), oom: c.OOM, execs: make(map[int]struct{})}
	spec, extra, err := d.load(c.Bundle)
	if err != nil {
		return nil, err
	}
	if k.base = rootPath(spec, c); k.base == "/" {
		return nil, fmt.Errorf("root.path: it is the host's own root, whose mounts are not a container's: %w", errdefs.ErrInvalidArgument)
	}
	owner, boot, err := r.machine.whoAmI()
	if err != nil {
		return nil, err
	}
	if err := r.reserve(ctx, k.name); err != nil {
		return nil, fmt.Errorf("container %q: %w", c.ID, err)
	}
	k.state = State{
		Version:     stateVersion,
		Namespace:   r.config.Namespace,
		ID:          c.ID,
		Bundle:      c.Bundle,
		Jail:        r.jailName(c.ID),
		Root:        k.base,
		Mounts:      []string{k.base}, // is known even if nothing else is
		Attached:    d == nil,
		OwnRoot:     len(c.Rootfs) > 0,
		Owner:       owner,
		Boot:        boot,
		Annotations: spec.Annotations,
	}
	defer func() {
		if retErr != nil {
			_ = k.closeStage() // it ends with the container
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
			defer cancel()
			retErr = errors.Join(retErr, k.abandon(ctx))
		}
	}()
	if len(c.Rootfs) == 0 {
		if k.state.Others, err = r.foreignMounts(k.name, k.base); err != nil {
			return nil, err
		}
	}
	// Images are told apart by what is in them, so the root would come first. But most are
	// of this system: then all that a removal must know is in the first state already.
	config := plan.Config{Namespace: r.scope(), ID: c.ID, Bundle: c.Bundle, Extra: extra}
	if k.plan, err = r.machine.plan(spec, config, ""); err == nil {
		k.describe()
	}
	if err := k.save(); err != nil {
		return nil, err
	}
	if err := fault.Point(fault.JailRecorded); err != nil {
		return nil, err
	}
	if err := mountRoot(k.base, c.Rootfs); err != nil {
		return nil, err
	}
	if err := fault.Point(fault.CreateMounted); err != nil {
		return nil, err
	}
	replanned := false
	if k.plan == nil || !k.plan.Linux && slices.ContainsFunc(k.plan.Process.Programs(), func(p string) bool { return linuxProgram(k.base, p) }) {
		if k.plan, err = r.machine.plan(spec, config, k.base); err != nil {
			return nil, err
		}
		k.describe()
		replanned = true
	}
	if err := joinNetwork(k.plan); err != nil {
		return nil, err
	}
	k.tellIgnored()
	if err := k.reserveNetwork(ctx); err != nil {
		return nil, err
	}
	if replanned || k.state.Network.Owner != "" {
		if err := k.save(); err != nil {
			return nil, err
		}
	}
	if err := k.build(ctx, c, d); err != nil {
		return nil, fmt.Errorf("jail %s: %w", k.plan.Name, err)
	}
	r.keep(k)
	return k, nil
}

// reserve makes the container's folder. What a dead process has left there is
// removed before: nobody else may come to do it.
func (r *Runtime) reserve(ctx context.Context, name string) error {
	err := r.store.reserve(name)
	if !errdefs.IsAlreadyExists(err) {
		return err
	}
	st, rerr := r.store.read(name)
	if errdefs.IsNotFound(rerr) && !r.store.young(name) {
		// Its maker died at once, or the state went when the machine started: rc(8)
		// removes files from /var/run, and no folders.
		if rerr := r.store.remove(name); rerr != nil {
			return errors.Join(err, rerr)
		}
		return r.store.reserve(name)
	}
	if rerr != nil {
		return err
	}
	if why, serr := r.loaded(name, st).Stray(); serr != nil || why == "" {
		return err
	}
	if rerr := r.remove(ctx, name, st, false, nil); rerr != nil {
		return errors.Join(err, rerr)
	}
	return r.store.reserve(name)
}

// rootPath is where the container's root is: what the shim mounts on the bundle's
// folder, or what the spec names.
func rootPath(spec *specs.Spec, c *driver.CreateConfig) string {
	path := filepath.Join(c.Bundle, bundleRoot)
	if len(c.Rootfs) == 0 && spec.Root != nil && spec.Root.Path != "" {
		path = spec.Root.Path
		if !filepath.IsAbs(path) {
			path = filepath.Join(c.Bundle, path)
		}
	}
	return realPath(path)
}

// foreignMounts returns the mounts on or below a bundle's root that are not to be
// removed with the container. Of another container that has the same root they are not:
// the last one of them removes those of all.
func (r *Runtime) foreignMounts(name, root string) ([]kernel.FSID, error) {
	there, err := mountsWithin(root)
	if err != nil || len(there) == 0 {
		return nil, err
	}
	_, jails := jailsAt(&State{Root: root})
	if other := r.sharing(name, root, jails); other != nil {
		return other.Others, nil
	}
	return there, nil
}

// describe puts into the state what the plan is going to make.
func (k *Container) describe() {
	p, st := k.plan, &k.state
	st.Jail, st.Root, st.Mounts = p.Name, k.base, []string{k.base}
	if p.Root.Readonly {
		// A mount that is there can't be made read-only, and read-only from the
		// start nothing could be mounted into it: so the jail gets a read-only
		// view of the root, and its mounts lie on that.
		st.Root = filepath.Join(realPath(k.rt.store.folder(k.name)), rootFolder)
		if !st.OwnRoot {
			st.Mounts = nil // on the root itself there will be none
		}
		st.Mounts = append(st.Mounts, st.Root)
	}
	st.Memory, st.Pids, st.Quota, st.Period = p.Limits.Memory, p.Limits.Pids, p.Limits.Quota, p.Limits.Period
	st.Umask = p.Process.Umask
	st.Loopback = p.Network.OwnStack()
	if p.Hooks != nil {
		st.StartContainer, st.Poststart, st.Poststop = p.Hooks.StartContainer, p.Hooks.Poststart, p.Hooks.Poststop
	}
}

// build makes everything of the container that the plan says, up to an init that
// waits. What it makes is found again without the state that it writes in the end:
// the jail by its root, and the init in it; one that is not yet in it ends with its
// maker.
func (k *Container) build(ctx context.Context, c *driver.CreateConfig, d *Detached) error {
	p := k.plan
	for _, m := range p.Modules {
		if err := loadModule(m); err != nil {
			return err
		}
	}
	for _, step := range []struct {
		point string
		do    func() error
	}{
		{fault.JailMounts, k.mountAll},
		{fault.JailMade, k.makeJail},
		{fault.JailLimited, func() error { return k.limit(p.Limits) }},
		{fault.JailNetwork, func() error { return k.attachNetwork(ctx) }},
		{fault.JailStage, func() error { return k.startStage(c, d) }},
		{fault.JailEntered, func() error { return explainStage(k.stage.Ready(until(ctx, stageTimeout))) }},
	} {
		if err := step.do(); err != nil {
			return err
		}
		if err := fault.Point(step.point); err != nil {
			return err
		}
	}
	if err := k.createHooks(ctx); err != nil {
		return err
	}
	k.mu.Lock()
	k.state.Created = time.Now().UTC() // else all of the local time zone is read to write it
	k.mu.Unlock()
	if err := k.save(); err != nil {
		return err
	}
	if d == nil {
		return nil
	}
	// From here on it does not end with its maker, but is in the state.
	return errors.Join(k.stage.Release(until(ctx, stageTimeout)), k.closeStage())
}

// makeJail makes the jail.
func (k *Container) makeJail() error {
	params := append([]kernel.Param{kernel.String("path", k.state.Root)}, k.plan.Params...)
	j, err := kernel.CreateJail(params)
	if errors.Is(err, errExist) {
		return fmt.Errorf("it is there, and of no container below %s: %w: %w", k.rt.config.Root, errdefs.ErrAlreadyExists, err)
	}
	if err != nil {
		return explainJail(err)
	}
	k.jail = j
	k.mu.Lock()
	k.state.JID = j.ID
	k.mu.Unlock()
	return nil
}

// startStage starts the init's first stage, which goes into the jail, finds the
// program and waits.
func (k *Container) startStage(c *driver.CreateConfig, d *Detached) error {
	config := stageConfig(&k.plan.Process, k.jail, k.state.Root)
	config.Wait = true
	if k.state.Loopback {
		config.Network = requests(append(link.Loopback(), k.inJail...))
	}
	config.Stdin, config.Stdout, config.Stderr = c.Stdio.Stdin, c.Stdio.Stdout, c.Stdio.Stderr
	if c.Terminal {
		t, err := openTerminal(&k.plan.Process)
		if err != nil {
			return err
		}
		defer t.slave.Close()
		k.console = t.master
		config.Stdin, config.Stdout, config.Stderr, config.Terminal = t.slave, t.slave, t.slave, true
	}
	if d != nil {
		path := k.rt.store.goSocket(k.name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		l, err := stage.Listen(path)
		if err != nil {
			return err
		}
		defer l.Close()
		config.Listener, config.Keep = l, d.Keep
		if d.Listen > 0 {
			config.Env = plan.Env(config.Env, fmt.Sprint("LISTEN_FDS=", d.Listen), "LISTEN_PID="+kernel.PIDMark)
		}
	}
	s, err := stage.Start(config)
	if err != nil {
		return err
	}
	k.stage, k.detached = s, d != nil
	k.mu.Lock()
	k.state.Init.Pid = s.Pid
	k.mu.Unlock()
	id, _, err := identify(s.Pid)
	if err != nil {
		return err
	}
	k.mu.Lock()
	k.state.Init = id
	k.mu.Unlock()
	return nil
}

// stageConfig translates a planned process, for a jail whose root is at root on the host.
func stageConfig(p *plan.Process, jail *kernel.Jail, root string) *stage.Config {
	c := &stage.Config{
		JID:        jail.ID,
		Jail:       jail.File(),
		Args:       p.Args,
		Env:        withHome(p.Env, root, p.UID),
		Cwd:        p.Cwd,
		UID:        p.UID,
		GID:        p.GID,
		Groups:     p.Groups,
		Umask:      p.Umask,
		NoNewPrivs: p.NoNewPrivs,
		LoginClass: p.LoginClass,
	}
	for _, l := range p.Rlimits {
		c.Rlimits = append(c.Rlimits, stage.Rlimit{Resource: l.Resource, Rlimit: kernel.Rlimit{Soft: l.Soft, Hard: l.Hard}})
	}
	return c
}

// explainStage gives the failure of a first stage its class.
func explainStage(err error) error {
	var failed *kernel.StepError
	if errors.As(err, &failed) && failed.Program {
		return fmt.Errorf("%w: %w", errdefs.ErrNotFound, err)
	}
	return err
}

// explainJail gives a failure to make a jail its class, and says what to do.
func explainJail(err error) error {
	switch {
	case errors.Is(err, errPermission):
		return fmt.Errorf("%w (making jails needs root, and in a jail the parameter children.max)", err)
	}
	return err
}

// optionalModules are those without which most programs run: pty makes BSD's old
// terminals, and a kernel may have been built without it.
var optionalModules = []string{"pty"}

func loadModule(name string) error {
	if kernel.HasModule(name) {
		return nil
	}
	if err := kernel.LoadModule(name); err != nil {
		if slices.Contains(optionalModules, name) && errors.Is(err, errMissing) {
			return nil
		}
		return fmt.Errorf("kernel module %s is not loaded (kldload %s): %w", name, name, err)
	}
	return nil
}
