package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/containerd/errdefs"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/urfave/cli"

	"jailshim/internal/version"
	"jailshim/jailctl"
	"jailshim/netsetup"
	"jailshim/netsetup/config"
)

const (
	name = "jailctl"
	// stateRoot is the folder below which shims keep their state:
	// shim.StateRoot.
	stateRoot = "/var/run/jailshim"
	// defaultRoot is where the containers' state is without --root.
	defaultRoot = jailctl.DefaultRoot
)

// Exit statuses of errors; runc's.
const (
	exitFailure     = 1
	exitExecFailure = 255
)

// Program is one run of the command.
type Program struct {
	Stdin, Stdout, Stderr *os.File // the command's, and those of what it runs
	// SetLog is given the logger that the flags ask for. It may be nil.
	SetLog func(*slog.Logger)

	journal  journal
	root     string // where the containers' state is
	networks netsetup.Options
	runtime  *jailctl.Runtime
}

// Run runs the command with its arguments, the first of which is its own name,
// and returns its exit status.
func (p *Program) Run(ctx context.Context, args []string) int {
	p.journal.stderr = p.Stderr
	err := p.app(ctx, args).Run(args)
	defer p.journal.close()
	if err == nil {
		return 0
	}
	var end *exit
	if !errors.As(err, &end) {
		end = &exit{exitFailure, err}
	}
	if end.cause != nil {
		p.journal.fail(err)
	}
	return end.status
}

// exit ends the command with a status. Without a cause nothing went wrong: a
// process in the foreground ended with it.
type exit struct {
	status int
	cause  error
}

func (e *exit) Error() string {
	if e.cause == nil {
		return fmt.Sprint("exit status ", e.status)
	}
	return e.cause.Error()
}

func (e *exit) Unwrap() error { return e.cause }

// app describes the command line, as far as it takes to understand the arguments.
func (p *Program) app(ctx context.Context, args []string) *cli.App {
	app := cli.NewApp()
	app.Name = name
	app.Usage = "run OCI containers as FreeBSD jails"
	app.Version = version.Version
	app.HideVersion = true // its flag prints through a global variable
	app.Writer, app.ErrWriter = p.Stdout, p.Stderr
	app.Flags = []cli.Flag{
		cli.BoolFlag{Name: "debug", Usage: "log more"},
		cli.StringFlag{Name: "log", Usage: "file to log to (default: stderr)"},
		cli.StringFlag{Name: "log-format", Value: "text", Usage: "'text' or 'json'"},
		cli.StringFlag{Name: "root", Value: defaultRoot, Usage: "folder for the containers' state"},
		cli.StringFlag{Name: "config", Value: config.DefaultPath, Usage: "file that describes the networks"},
		cli.BoolFlag{Name: "systemd-cgroup", Usage: "no effect"},
		cli.StringFlag{Name: "rootless", Value: "auto", Usage: "no effect"},
		cli.BoolFlag{Name: "version, v", Usage: "print the version"},
	}
	app.Before = p.before
	app.Action = p.noCommand
	app.Commands = p.commands(ctx, args)
	// The library would print a usage to stdout, and end the process for some
	// errors.
	usage := func(_ *cli.Context, err error, _ bool) error { return err }
	app.OnUsageError = usage
	for i := range app.Commands {
		app.Commands[i].OnUsageError = usage
	}
	app.ExitErrHandler = func(*cli.Context, error) {}
	return app
}

// commands describes the commands whose names are among the arguments: to describe all of
// them takes longer than to read the state of a container. If no name is there, somebody
// wants to know of all.
func (p *Program) commands(ctx context.Context, args []string) []cli.Command {
	known := []struct {
		name     string
		describe func(context.Context) cli.Command
	}{
		{"create", p.createCommand},
		{"delete", p.deleteCommand},
		{"doctor", p.doctorCommand},
		{"events", p.eventsCommand},
		{"exec", p.execCommand},
		{"features", p.featuresCommand},
		{"gc", p.gcCommand},
		{"kill", p.killCommand},
		{"list", p.listCommand},
		{"net", p.netCommand},
		{"pause", p.pauseCommand},
		{"ps", p.psCommand},
		{"resume", p.resumeCommand},
		{"run", p.runCommand},
		{"spec", p.specCommand},
		{"start", p.startCommand},
		{"state", p.stateCommand},
		{"update", p.updateCommand},
	}
	var all []cli.Command
	for _, c := range known {
		if slices.Contains(args, c.name) {
			all = append(all, c.describe(ctx))
		}
	}
	if len(all) > 0 {
		return all
	}
	for _, c := range known {
		all = append(all, c.describe(ctx))
	}
	return all
}

// before does what the global flags ask for.
func (p *Program) before(c *cli.Context) error {
	root, err := filepath.Abs(c.String("root"))
	if err != nil {
		return err
	}
	if root == "/" {
		return fmt.Errorf("--root: %q can't hold the containers' state", c.String("root"))
	}
	logger, err := p.journal.open(c.String("log"), c.String("log-format"), c.Bool("debug"))
	if err != nil {
		return err
	}
	if p.SetLog != nil {
		p.SetLog(logger)
	}
	p.root = root
	p.networks = netsetup.Options{Config: c.String("config")}
	p.runtime = jailctl.New(jailctl.Config{Root: root, Networks: p.networks})
	return nil
}

// noCommand is run when there is none, or an unknown one.
func (p *Program) noCommand(c *cli.Context) error {
	if c.NArg() > 0 {
		return fmt.Errorf("unknown command %q; %s help lists them", c.Args().First(), name)
	}
	if !c.Bool("version") {
		return cli.ShowAppHelp(c)
	}
	_, err := fmt.Fprintf(p.Stdout, "%s version %s\nspec: %s\ngo: %s\n", name, version.Version, specs.Version, runtime.Version())
	return err
}

// arguments checks how many arguments a command got.
func arguments(c *cli.Context, least, most int) error {
	n := c.NArg()
	switch {
	case n >= least && (n <= most || most < 0):
		return nil
	case least == most:
		return fmt.Errorf("%s: %q requires exactly %d argument(s), and has %d", name, c.Command.Name, least, n)
	case n < least:
		return fmt.Errorf("%s: %q requires a minimum of %d argument(s), and has %d", name, c.Command.Name, least, n)
	}
	return fmt.Errorf("%s: %q requires a maximum of %d argument(s), and has %d", name, c.Command.Name, most, n)
}

// id is the one argument of a command, a container's id.
func id(c *cli.Context) (string, error) {
	if err := arguments(c, 1, 1); err != nil {
		return "", err
	}
	return checkID(c.Args().First())
}

func checkID(id string) (string, error) {
	if id == "" {
		return "", errors.New("the container's id is empty")
	}
	return id, nil
}

// missing is the error for a container that does not exist. Callers know the
// text of runc.
type missing string

func (m missing) Error() string { return fmt.Sprintf("container %q does not exist", string(m)) }
func (missing) Unwrap() error   { return errdefs.ErrNotFound }

// load returns a container to look at, or to signal.
func (p *Program) load(id string) (*jailctl.Container, error) {
	k, err := p.runtime.Load(id)
	if errdefs.IsNotFound(err) {
		return nil, missing(id)
	}
	return k, err
}

// change runs f on a container that nobody else changes meanwhile.
func (p *Program) change(id string, f func(*jailctl.Container) error) error {
	return p.changeWith(p.runtime.Lock, id, f)
}

// changeWith is change with a lock that is got in a way of its own.
func (p *Program) changeWith(lock func(id string) (*jailctl.Lock, error), id string, f func(*jailctl.Container) error) error {
	if _, err := os.Stat(p.root); errors.Is(err, fs.ErrNotExist) {
		return missing(id)
	}
	return locked(lock, id, func() error {
		k, err := p.load(id)
		if errdefs.IsNotFound(err) {
			// A create that was killed right at its start leaves a folder.
			return errors.Join(err, p.runtime.RemoveFolder(id))
		}
		if err != nil {
			return err
		}
		return f(k)
	})
}

// locked runs f with the container's lock.
func (p *Program) locked(id string, f func() error) error { return locked(p.runtime.Lock, id, f) }

func locked(lock func(id string) (*jailctl.Lock, error), id string, f func() error) (retErr error) {
	l, err := lock(id)
	if err != nil {
		return err
	}
	defer func() { retErr = errors.Join(retErr, l.Unlock()) }()
	return f()
}
