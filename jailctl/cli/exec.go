package cli

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"syscall"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/urfave/cli"

	"jailshim/driver"
	"jailshim/internal/lazyjson"
	"jailshim/jailctl"
	"jailshim/jailctl/plan"
)

func (p *Program) execCommand(ctx context.Context) cli.Command {
	return cli.Command{
		Name:      "exec",
		Usage:     "run another process in a container",
		ArgsUsage: "<container-id> <command> [arguments], or --process <file> <container-id>",
		Flags: []cli.Flag{
			cli.StringFlag{Name: "console-socket", Usage: "UNIX socket to send the terminal's master side to"},
			cli.StringFlag{Name: "pidfd-socket", Usage: "refused: FreeBSD has no such descriptors"},
			cli.StringFlag{Name: "cwd", Usage: "working folder in the container"},
			cli.StringSliceFlag{Name: "env, e", Usage: "set a variable, NAME=VALUE"},
			cli.BoolFlag{Name: "tty, t", Usage: "give it a terminal"},
			cli.StringFlag{Name: "user, u", Usage: "`UID[:GID]`"},
			cli.Int64SliceFlag{Name: "additional-gids, g", Usage: "more groups"},
			cli.StringFlag{Name: "process, p", Usage: "file with the process in JSON, as in config.json"},
			cli.BoolFlag{Name: "detach, d", Usage: "end when the process runs"},
			cli.StringFlag{Name: "pid-file", Usage: "file to write the pid to"},
			cli.StringFlag{Name: "process-label", Usage: "no effect"},
			cli.StringFlag{Name: "apparmor", Usage: "no effect"},
			cli.BoolFlag{Name: "no-new-privs", Usage: "no program gives more privileges"},
			cli.StringSliceFlag{Name: "cap, c", Usage: "no effect: a process has what its jail allows"},
			cli.IntFlag{Name: "preserve-fds", Usage: "pass `N` more descriptors to the process"},
			cli.StringSliceFlag{Name: "cgroup", Usage: "no effect"},
			cli.BoolFlag{Name: "ignore-paused", Usage: "also in a paused container"},
		},
		// What follows the id is the command's.
		SkipArgReorder: true,
		Action: func(c *cli.Context) error {
			if err := arguments(c, 1, -1); err != nil {
				return err
			}
			err := p.exec(ctx, c)
			var end *exit
			if err == nil || errors.As(err, &end) {
				return err
			}
			return &exit{exitExecFailure, fmt.Errorf("exec failed: %w", err)}
		},
	}
}

func (p *Program) exec(ctx context.Context, c *cli.Context) error {
	id, err := checkID(c.Args().First())
	if err != nil {
		return err
	}
	h, err := newHandover(c)
	if err != nil {
		return err
	}
	k, err := p.load(id)
	if err != nil {
		return err
	}
	switch s := k.Status(); {
	case s == specs.StateRunning, s == specs.StateCreated && !k.Made().IsZero(), s == jailctl.StatePaused && c.Bool("ignore-paused"):
	case s == jailctl.StatePaused:
		return errors.New("cannot exec in a paused container (use --ignore-paused to override)")
	default:
		return fmt.Errorf("cannot exec in a container that is %s", s)
	}
	spec, err := execSpec(c, k)
	if err != nil {
		return err
	}
	return p.execute(ctx, k, spec, &h)
}

// execute runs the process.
func (p *Program) execute(ctx context.Context, k *jailctl.Container, spec *specs.Process, h *handover) error {
	if err := h.checkTerminal(spec.Terminal); err != nil {
		return err
	}
	socket, err := h.dial()
	if err != nil {
		return err
	}
	defer socket.close()
	files, err := inherited(0, h.keep)
	if err != nil {
		return err
	}
	ctx, stop := interruptible(ctx, true)
	defer stop()
	child, err := k.ExecWith(ctx, &driver.ExecConfig{
		Spec:     spec,
		Terminal: spec.Terminal,
		Stdio:    driver.Stdio{Stdin: p.Stdin, Stdout: p.Stdout, Stderr: p.Stderr},
	}, jailctl.ExecOptions{Keep: files})
	if err != nil {
		return err
	}
	var f *foreground
	err = h.sendTerminal(socket, child)
	if err == nil && !h.detach {
		f, err = p.attach(child)
	}
	if err == nil && ctx.Err() != nil {
		err = errInterrupted
	}
	if err == nil {
		err = h.writePid(child.Pid)
	}
	if err != nil {
		f.release()
		// Nobody else knows of it, and nobody has waited for it.
		return errors.Join(err, syscall.Kill(child.Pid, syscall.SIGKILL))
	}
	if h.detach {
		return nil
	}
	stop()
	status, err := f.wait()
	f.release()
	if err != nil || status == 0 {
		return err
	}
	return &exit{status: status}
}

// execSpec is the process to run: a file's, or the container's own with what the
// command line changes.
func execSpec(c *cli.Context, k *jailctl.Container) (*specs.Process, error) {
	if path := c.String("process"); path != "" {
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		p := new(specs.Process)
		if err := lazyjson.Unmarshal(b, p); err != nil {
			return nil, fmt.Errorf("process %s: %w", path, err)
		}
		return p, nil
	}
	spec, _, err := plan.Load(k.State().Bundle)
	if err != nil {
		return nil, err
	}
	p := spec.Process
	if p == nil {
		return nil, errors.New("config.json has no process to start from: use --process")
	}
	if c.NArg() < 2 {
		return nil, errors.New("exec args cannot be empty")
	}
	p.Args = c.Args().Tail()
	p.Env = append(p.Env, c.StringSlice("env")...)
	p.Terminal = c.Bool("tty")
	p.ConsoleSize = nil
	if cwd := c.String("cwd"); cwd != "" {
		p.Cwd = cwd
	}
	if c.IsSet("no-new-privs") {
		p.NoNewPrivileges = c.Bool("no-new-privs")
	}
	return p, setUser(&p.User, c.String("user"), c.Int64Slice("additional-gids"))
}

// setUser changes the user to UID[:GID], if there is one, and adds groups.
func setUser(u *specs.User, user string, groups []int64) error {
	if user != "" {
		uid, gid, both := strings.Cut(user, ":")
		n, err := strconv.ParseUint(uid, 10, 32)
		if err != nil {
			return fmt.Errorf("--user %q: bad uid: %w", user, err)
		}
		u.UID, u.Username = uint32(n), ""
		if both {
			if n, err = strconv.ParseUint(gid, 10, 32); err != nil {
				return fmt.Errorf("--user %q: bad gid: %w", user, err)
			}
			u.GID = uint32(n)
		}
	}
	for _, g := range groups {
		if g < 0 || g > math.MaxUint32 {
			return fmt.Errorf("--additional-gids %d: there is no such group", g)
		}
		u.AdditionalGids = append(u.AdditionalGids, uint32(g))
	}
	return nil
}
