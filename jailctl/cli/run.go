package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"syscall"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/urfave/cli"

	"jailshim/jailctl"
)

func (p *Program) runCommand(ctx context.Context) cli.Command {
	return cli.Command{
		Name:      "run",
		Usage:     "create and start a container, and in the foreground wait for it and delete it",
		ArgsUsage: "<container-id>",
		Flags: createFlags(
			cli.BoolFlag{Name: "detach, d", Usage: "end when the container runs"},
			cli.BoolFlag{Name: "keep", Usage: "do not delete the container when it ends"},
			cli.BoolFlag{Name: "no-subreaper", Usage: "no effect: orphans are the system's to reap"},
		),
		Action: func(c *cli.Context) error {
			m, err := newMaking(c)
			if err != nil {
				return err
			}
			return p.run(ctx, m, c.Bool("keep"))
		},
	}
}

func (p *Program) run(ctx context.Context, m *making, keep bool) error {
	var k *jailctl.Container
	var f *foreground
	err := p.locked(m.id, func() error {
		ctx, stop := interruptible(ctx, true)
		defer stop()
		var err error
		if k, err = p.make(ctx, m); err != nil {
			return err
		}
		if !m.detach {
			if f, err = p.attach(k.Init()); err != nil {
				return errors.Join(err, undo(ctx, k))
			}
		}
		if err := start(ctx, k); err != nil {
			f.release()
			return errors.Join(err, undo(ctx, k))
		}
		if err := m.writePid(k.Init().Pid); err != nil {
			f.release()
			return errors.Join(err, end(context.WithoutCancel(ctx), k), undo(ctx, k))
		}
		return nil
	})
	if err != nil || m.detach {
		return err
	}
	defer f.release()
	status, err := f.wait()
	left := p.locked(m.id, func() error { return finish(ctx, k, f, keep) })
	if err != nil {
		return errors.Join(err, left)
	}
	if left != nil {
		// How the program ended is what the caller waits for; "delete" can be repeated.
		slog.Error("something of the container is left", "container", m.id, "error", left)
	}
	return &exit{status: status}
}

// finish ends a container whose init has ended in the foreground. The lock is held.
func finish(ctx context.Context, k *jailctl.Container, f *foreground, keep bool) error {
	// Somebody else may have deleted it, and made another of its name.
	there, err := k.Exists()
	if there {
		// The end of the init is the end of all, which may hold the terminal.
		err = k.Quiesce(ctx)
	}
	f.closeTerminal()
	if !there || keep {
		return err
	}
	return errors.Join(err, k.Delete(ctx))
}

func (p *Program) startCommand(ctx context.Context) cli.Command {
	return cli.Command{
		Name:      "start",
		Usage:     "start the program of a created container",
		ArgsUsage: "<container-id>",
		Action: func(c *cli.Context) error {
			id, err := id(c)
			if err != nil {
				return err
			}
			return p.change(id, func(k *jailctl.Container) error {
				if err := startable(id, k); err != nil {
					return err
				}
				ctx, stop := interruptible(ctx, k.HasStartHooks())
				defer stop()
				return start(ctx, k)
			})
		},
	}
}

// startable refuses to start what has not just been created.
func startable(id string, k *jailctl.Container) error {
	switch s := k.Status(); {
	case s == specs.StateCreated && !k.Made().IsZero():
		return nil
	case s == specs.StateStopped:
		return fmt.Errorf("cannot start container %s that has stopped", id)
	case s == specs.StateRunning:
		return fmt.Errorf("cannot start container %s that is running already", id)
	case s == specs.StateCreated:
		return fmt.Errorf("cannot start container %s: whoever created it died half way; delete it", id)
	default:
		return fmt.Errorf("cannot start container %s in the state %s", id, s)
	}
}

// start starts the container. If it can't be started, and if one of its hooks fails,
// it has ended when start returns. If the context ends meanwhile, the init is killed
// at once: a hook in the jail may take its time.
func start(ctx context.Context, k *jailctl.Container) error {
	stop := context.AfterFunc(ctx, func() {
		// An init that has ended needs no signal.
		_ = k.Signal(context.WithoutCancel(ctx), syscall.SIGKILL)
	})
	err := k.Start(ctx)
	if !stop() {
		err = errors.Join(errInterrupted, err)
	}
	if err != nil {
		return errors.Join(err, end(context.WithoutCancel(ctx), k))
	}
	return nil
}

// endTimeout bounds the wait for an init that was killed.
const endTimeout = 5 * time.Second

// end kills the container's processes, and waits until its init has ended: delete
// refuses a container that runs.
func end(ctx context.Context, k *jailctl.Container) error {
	err := k.KillAll(ctx, syscall.SIGKILL)
	for until := time.Now().Add(endTimeout); err == nil && k.Status() != specs.StateStopped; time.Sleep(endPause) {
		if time.Now().After(until) {
			return fmt.Errorf("process %d does not end: %w", k.Init().Pid, context.DeadlineExceeded)
		}
	}
	return err
}

const endPause = 2 * time.Millisecond
