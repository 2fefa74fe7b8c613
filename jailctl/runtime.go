package jailctl

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/containerd/errdefs"

	"jailshim/driver"
	"jailshim/internal/version"
	"jailshim/jailctl/kernel"
	"jailshim/jailctl/plan"
	"jailshim/netsetup"
)

// Config says where a Runtime keeps its containers.
type Config struct {
	// Root is the folder with one folder for each container.
	Root string
	// Namespace is containerd's; empty under the OCI command. It is part of
	// the jails' names.
	Namespace string
	// Commands starts and waits for hooks. Nil is package os/exec; a process
	// with a reaper of its own gives that.
	Commands Commands
	// Networks says where the machine's networks are. Zero is the usual places.
	Networks netsetup.Options
}

// Commands runs commands in a process that reaps its own children.
type Commands interface {
	Start(*exec.Cmd) error
	Wait(*exec.Cmd) error
}

// Runtime makes containers that are jails.
type Runtime struct {
	config Config
	store  store

	machine *machine

	mu         sync.Mutex // guards the field below
	containers map[string]*Container
}

var _ driver.Runtime = (*Runtime)(nil)

// New returns a Runtime.
func New(c Config) *Runtime {
	if c.Commands == nil {
		c.Commands = plainCommands{}
	}
	return &Runtime{config: c, store: store(realPath(c.Root)), machine: &machine{params: make(map[string]kernel.ParamInfo)}, containers: make(map[string]*Container)}
}

type plainCommands struct{}

func (plainCommands) Start(c *exec.Cmd) error { return c.Start() }
func (plainCommands) Wait(c *exec.Cmd) error  { return c.Wait() }

// name is the container's folder.
func (r *Runtime) name(id string) string { return plan.JailName(r.config.Namespace, id) }

// DefaultRoot is where the OCI command keeps its containers if nobody says
// otherwise. They alone have jails of the name that is their id.
const DefaultRoot = "/var/run/jailshim/oci"

// scope is the first part of the jails' names: an id need be unique in its
// namespace or root only, and a jail's name in the whole machine.
func (r *Runtime) scope() string {
	if r.config.Namespace != "" || r.config.Root == DefaultRoot {
		return r.config.Namespace
	}
	return filepath.Base(r.config.Root) + "_" + r.rootDigest()
}

// rootDigest tells the runtime's root from others, in eight characters.
func (r *Runtime) rootDigest() string {
	sum := sha256.Sum256([]byte(r.store))
	return hex.EncodeToString(sum[:4])
}

// jailName is the last part of the container's jail's name.
func (r *Runtime) jailName(id string) string { return plan.JailName(r.scope(), id) }

// owner is the key under which package netsetup knows the container. A jail's name is not
// enough: containers of two roots can have the same, of which only one can have the jail.
func (r *Runtime) owner(id string) string { return r.jailName(id) + "-" + r.rootDigest() }

// Remove implements driver.Runtime.
func (r *Runtime) Remove(ctx context.Context, id, bundle string) error {
	name := r.name(id)
	st, err := r.store.read(name)
	if errdefs.IsNotFound(err) {
		// Never made, or removed, or its maker died before it wrote the state:
		// then nothing but the folder, and what containerd may have mounted.
		st = &State{Version: stateVersion, Namespace: r.config.Namespace, ID: id, Bundle: bundle, Jail: r.jailName(id)}
		if bundle != "" {
			st.Mounts = []string{realPath(filepath.Join(bundle, bundleRoot))}
		}
	} else if err != nil {
		return err
	}
	return r.remove(ctx, name, st, false, nil)
}

// Pid implements driver.Runtime.
func (r *Runtime) Pid(id, _ string) int {
	st, err := r.store.read(r.name(id))
	if err != nil {
		return 0
	}
	return st.Init.Pid
}

// bundleRoot is the folder of a bundle that holds the root when the shim mounts
// it.
const bundleRoot = "rootfs"

// Info implements driver.Runtime.
func (r *Runtime) Info(context.Context) (driver.Info, error) {
	params, err := kernel.Params()
	if err != nil {
		return driver.Info{}, err
	}
	return driver.Info{Name: "jailctl", Version: version.Version, Features: Features(params)}, nil
}

// Zombie is told that a child of the caller has ended and has not been reaped
// yet: the kernel still knows why it ended. It looks only at processes of the
// Runtime's containers, and does not block.
func (r *Runtime) Zombie(pid int) {
	r.mu.Lock()
	var owner *Container
	for _, k := range r.containers {
		if k.owns(pid) {
			owner = k
			break
		}
	}
	r.mu.Unlock()
	if owner != nil {
		owner.lookAt(pid)
	}
}

func (r *Runtime) keep(k *Container) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.containers[k.name] = k
}

func (r *Runtime) drop(k *Container) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.containers, k.name)
}

// errorf says which jail an error is about.
func errorf(name, format string, args ...any) error {
	return fmt.Errorf("jail %s: %w", name, fmt.Errorf(format, args...))
}

// until is a deadline from the context, or after a time if that comes first.
func until(ctx context.Context, d time.Duration) time.Time {
	at := time.Now().Add(d)
	if end, ok := ctx.Deadline(); ok && end.Before(at) {
		return end
	}
	return at
}
