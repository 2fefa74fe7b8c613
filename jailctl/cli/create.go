package cli

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/urfave/cli"

	"jailshim/driver"
	"jailshim/internal/wholefile"
	"jailshim/jailctl"
	"jailshim/jailctl/plan"
)

// undoTimeout bounds the removal of a container that could not be handed over.
const undoTimeout = 20 * time.Second

// createFlags are common to create and run.
func createFlags(more ...cli.Flag) []cli.Flag {
	return append([]cli.Flag{
		cli.StringFlag{Name: "bundle, b", Usage: "folder of the bundle (default: the current one)"},
		cli.StringFlag{Name: "console-socket", Usage: "UNIX socket to send the terminal's master side to"},
		cli.StringFlag{Name: "pidfd-socket", Usage: "refused: FreeBSD has no such descriptors"},
		cli.StringFlag{Name: "pid-file", Usage: "file to write the init's pid to"},
		cli.BoolFlag{Name: "no-pivot", Usage: "no effect"},
		cli.BoolFlag{Name: "no-new-keyring", Usage: "no effect"},
		cli.IntFlag{Name: "preserve-fds", Usage: "pass `N` more descriptors to the container (those of LISTEN_FDS come first)"},
	}, more...)
}

func (p *Program) createCommand(ctx context.Context) cli.Command {
	return cli.Command{
		Name:      "create",
		Usage:     "create a container, up to an init that waits for start",
		ArgsUsage: "<container-id>",
		Flags:     createFlags(),
		Action: func(c *cli.Context) error {
			m, err := newMaking(c)
			if err != nil {
				return err
			}
			m.detach = true
			return p.locked(m.id, func() error {
				k, err := p.make(ctx, m)
				if err != nil {
					return err
				}
				if err := m.writePid(k.Init().Pid); err != nil {
					return errors.Join(err, undo(ctx, k))
				}
				return nil
			})
		},
	}
}

// making says which container to make.
type making struct {
	handover
	id, bundle string
}

// handover says what a caller gets that does not stay, and what a process gets
// beside its streams.
type handover struct {
	detach  bool
	socket  string // for the terminal's master side
	pidFile string
	keep    int // descriptors to pass on
}

func newHandover(c *cli.Context) (handover, error) {
	h := handover{
		detach:  c.Bool("detach"),
		socket:  c.String("console-socket"),
		pidFile: c.String("pid-file"),
		keep:    c.Int("preserve-fds"),
	}
	if c.String("pidfd-socket") != "" {
		return h, errors.New("--pidfd-socket: FreeBSD has no descriptors of processes that could be sent")
	}
	return h, nil
}

func newMaking(c *cli.Context) (*making, error) {
	id, err := id(c)
	if err != nil {
		return nil, err
	}
	h, err := newHandover(c)
	if err != nil {
		return nil, err
	}
	bundle, err := filepath.Abs(c.String("bundle"))
	if err != nil {
		return nil, err
	}
	return &making{h, id, bundle}, nil
}

// interruptible returns a context that the signals end by which users and
// service managers give up. Without it they end the command half way, and what is
// there is removed by delete, as after any death. Each signal takes Go's runtime two
// changes of threads: so it is for those that may wait, for a hook or for a user's
// program. For others ctx itself is returned.
func interruptible(ctx context.Context, waits bool) (context.Context, context.CancelFunc) {
	if !waits {
		return ctx, func() {}
	}
	return signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
}

// errInterrupted is the error of a command that a signal made give up.
var errInterrupted = errors.New("interrupted by a signal")

// make makes the container and hands its terminal over. On any error, and if the context
// ends meanwhile, nothing is left.
func (p *Program) make(ctx context.Context, m *making) (_ *jailctl.Container, retErr error) {
	spec, extra, err := plan.Load(m.bundle)
	if err != nil {
		return nil, err
	}
	ctx, stop := interruptible(ctx, spec.Hooks != nil)
	defer stop()
	terminal := spec.Process != nil && spec.Process.Terminal
	if err := m.checkTerminal(terminal); err != nil {
		return nil, err
	}
	socket, err := m.dial()
	if err != nil {
		return nil, err
	}
	defer socket.close()
	listen := listenFDs()
	files, err := inherited(listen, m.keep)
	if err != nil {
		return nil, err
	}
	k, err := p.runtime.CreateDetached(ctx, &driver.CreateConfig{
		ID:       m.id,
		Bundle:   m.bundle,
		Terminal: terminal,
		Stdio:    driver.Stdio{Stdin: p.Stdin, Stdout: p.Stdout, Stderr: p.Stderr},
	}, jailctl.Detached{Spec: spec, Extra: extra, Keep: files, Listen: listen})
	if err != nil {
		return nil, err
	}
	defer func() {
		if retErr != nil {
			retErr = errors.Join(retErr, undo(ctx, k))
		}
	}()
	if ctx.Err() != nil {
		return nil, errInterrupted
	}
	return k, m.sendTerminal(socket, k.Init())
}

// undo removes a container that was made.
func undo(ctx context.Context, k *jailctl.Container) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	if c := k.Init().Console; c != nil {
		c.Close()
	}
	return k.Delete(ctx)
}

// checkTerminal finds contradictions between the command line and the process.
func (h *handover) checkTerminal(terminal bool) error {
	switch {
	case h.detach && terminal && h.socket == "":
		return errors.New("process.terminal without --console-socket: nobody would get the terminal")
	case h.socket != "" && !terminal:
		return errors.New("--console-socket without a terminal: process.terminal is false")
	case h.socket != "" && !h.detach:
		return errors.New("--console-socket in the foreground: the terminal is copied to the caller's")
	}
	return nil
}

// sendTerminal gives the caller the terminal.
func (h *handover) sendTerminal(socket *consoleSocket, of driver.Process) error {
	if socket == nil {
		return nil
	}
	return errors.Join(socket.send(of.Console), of.Console.Close())
}

// writePid gives the caller the pid, in one step: who waits for it must not read half of
// it. It is the last thing to do: nothing may take back what a supervisor has read.
func (h *handover) writePid(pid int) error {
	if h.pidFile == "" {
		return nil
	}
	if err := wholefile.Write(h.pidFile, []byte(strconv.Itoa(pid)), 0o644); err != nil {
		return fmt.Errorf("pid file: %w", err)
	}
	return nil
}
