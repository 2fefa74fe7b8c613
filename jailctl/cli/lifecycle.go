package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/containerd/errdefs"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/urfave/cli"

	"jailshim/jailctl"
	"jailshim/netsetup/cni"
)

func (p *Program) killCommand(ctx context.Context) cli.Command {
	return cli.Command{
		Name:      "kill",
		Usage:     "send a signal (default: SIGTERM) to a container's init",
		ArgsUsage: "<container-id> [signal]",
		Flags:     []cli.Flag{cli.BoolFlag{Name: "all, a", Usage: "send it to all processes of the container"}},
		Action: func(c *cli.Context) error {
			if err := arguments(c, 1, 2); err != nil {
				return err
			}
			id, err := checkID(c.Args().First())
			if err != nil {
				return err
			}
			sig := syscall.SIGTERM
			if text := c.Args().Get(1); text != "" {
				if sig, err = parseSignal(text); err != nil {
					return err
				}
			}
			k, err := p.load(id)
			if err != nil {
				return err
			}
			if !c.Bool("all") {
				return k.Signal(ctx, sig)
			}
			// Processes may outlive the init until somebody deletes the
			// container, and it is no error if none has.
			return k.KillAll(ctx, sig)
		},
	}
}

func (p *Program) deleteCommand(ctx context.Context) cli.Command {
	return cli.Command{
		Name:      "delete",
		Usage:     "delete a container that has stopped or was never started",
		ArgsUsage: "<container-id>",
		Flags:     []cli.Flag{cli.BoolFlag{Name: "force, f", Usage: "also one that runs, and one that does not exist"}},
		Action: func(c *cli.Context) error {
			id, err := id(c)
			if err != nil {
				return err
			}
			return p.remove(ctx, id, c.Bool("force"))
		},
	}
}

// remove deletes a container.
func (p *Program) remove(ctx context.Context, id string, force bool) error {
	lock := p.runtime.Lock
	if force {
		lock = func(id string) (*jailctl.Lock, error) { return p.runtime.Seize(ctx, id) }
		if k, err := p.load(id); err == nil {
			// Whoever holds the lock may be waiting for the init, or for a hook in
			// the jail. An init that has ended needs no signal, and whatever else
			// fails, deleting tells of.
			_ = k.Signal(ctx, syscall.SIGKILL)
			_ = k.KillAll(ctx, syscall.SIGKILL)
		}
	}
	err := p.changeWith(lock, id, func(k *jailctl.Container) error {
		switch s := k.Status(); {
		case force, s == specs.StateStopped, s == specs.StateCreated, k.Made().IsZero():
			return k.Delete(ctx)
		default:
			return fmt.Errorf("cannot delete container %s that is not stopped: %s", id, s)
		}
	})
	if !errdefs.IsNotFound(err) {
		return err
	}
	if force {
		return nil
	}
	return err
}

func (p *Program) pauseCommand(ctx context.Context) cli.Command {
	return cli.Command{
		Name:      "pause",
		Usage:     "stop all processes of a container",
		ArgsUsage: "<container-id>",
		Action: func(c *cli.Context) error {
			return p.inState(c, specs.StateRunning, "container not running", func(k *jailctl.Container) error { return k.Pause(ctx) })
		},
	}
}

func (p *Program) resumeCommand(ctx context.Context) cli.Command {
	return cli.Command{
		Name:      "resume",
		Usage:     "let the processes of a paused container go on",
		ArgsUsage: "<container-id>",
		Action: func(c *cli.Context) error {
			return p.inState(c, jailctl.StatePaused, "container not paused", func(k *jailctl.Container) error { return k.Resume(ctx) })
		},
	}
}

// inState runs f on a container that is in a state.
func (p *Program) inState(c *cli.Context, want specs.ContainerState, refusal string, f func(*jailctl.Container) error) error {
	id, err := id(c)
	if err != nil {
		return err
	}
	return p.change(id, func(k *jailctl.Container) error {
		if s := k.Status(); s != want {
			return fmt.Errorf("container %q: %s: it is %s", id, refusal, s)
		}
		return f(k)
	})
}

func (p *Program) gcCommand(ctx context.Context) cli.Command {
	return cli.Command{
		Name:  "gc",
		Usage: "remove what killed shims and commands, or a crash of the machine, have left",
		Description: "Looks at the containers below --root, and at those of the shims. Containers that run without\n" +
			"the command that made them, as those of podman do, stay. Then what no container has any more of\n" +
			"the networks is given back.",
		Flags: []cli.Flag{cli.BoolFlag{Name: "dry-run, n", Usage: "only tell which containers would be removed"}},
		Action: func(c *cli.Context) error {
			if err := arguments(c, 0, 0); err != nil {
				return err
			}
			return p.collect(ctx, stateRoot, c.Bool("dry-run"))
		},
	}
}

// collect removes what is left over below --root, and below base.
func (p *Program) collect(ctx context.Context, base string, dry bool) error {
	var errs []error
	gone, err := p.runtime.GC(dry, func(k *jailctl.Container) error { return p.removeStray(ctx, k) })
	p.tell(gone)
	errs = append(errs, err)
	for _, rt := range shimRuntimes(base) {
		gone, err := rt.GC(dry, func(k *jailctl.Container) error {
			ctx, cancel := context.WithTimeout(ctx, undoTimeout)
			defer cancel()
			return k.Delete(ctx)
		})
		p.tell(gone)
		errs = append(errs, err)
	}
	if !dry {
		errs = append(errs, p.collectNetworks(ctx, base))
	}
	return errors.Join(errs...)
}

// collectNetworks gives back what no container of the machine has of the networks.
func (p *Program) collectNetworks(ctx context.Context, base string) error {
	roots, err := jailctl.OtherRoots(ctx)
	if err != nil {
		return err
	}
	all := append(shimRuntimes(base), p.runtime)
	for _, root := range append(roots, defaultRoot) {
		if root != p.root {
			all = append(all, jailctl.New(jailctl.Config{Root: root}))
		}
	}
	left, err := jailctl.NetworkGC(ctx, p.networks, all, func() ([]string, error) { return cni.Owners(filepath.Join(base, filepath.Base(cni.RunDir))) })
	for _, l := range left {
		fmt.Fprintln(p.Stdout, l)
	}
	if errors.Is(err, errors.ErrUnsupported) {
		return nil // where there are no jails, nothing has a network
	}
	return err
}

func (p *Program) tell(gone []string) {
	for _, g := range gone {
		fmt.Fprintln(p.Stdout, g)
	}
}

// removeStray deletes a container that nobody will, if that is still so once
// nobody changes it.
func (p *Program) removeStray(ctx context.Context, k *jailctl.Container) error {
	ctx, cancel := context.WithTimeout(ctx, undoTimeout)
	defer cancel()
	id := k.State().ID
	err := p.change(id, func(k *jailctl.Container) error {
		if why, err := k.Stray(); err != nil || why == "" {
			return err
		}
		return k.Delete(ctx)
	})
	if errdefs.IsNotFound(err) {
		return nil
	}
	return err
}

// shimFolders matches the folders below a state root in which shims keep jails:
// by daemon, whose name is a digest, and by namespace. Others there are not ours
// to look into, such as those of other OCI runtimes.
const shimFolders = "[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]/jails/*"

// shimRuntimes returns the runtimes of all shims below a state root.
func shimRuntimes(base string) []*jailctl.Runtime {
	dirs, err := filepath.Glob(filepath.Join(base, shimFolders))
	if err != nil {
		return nil // only a bad pattern is an error
	}
	var all []*jailctl.Runtime
	for _, dir := range dirs {
		if fi, err := os.Stat(dir); err == nil && fi.IsDir() {
			all = append(all, jailctl.New(jailctl.Config{Root: dir, Namespace: filepath.Base(dir)}))
		}
	}
	return all
}
