package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os/signal"
	"strings"
	"text/tabwriter"

	"golang.org/x/sys/unix"

	zfs "jailshim/snapshotter-zfs"
)

const usage = `usage: containerd-openzfs-grpc [flags] [command]

Without a command: serve containerd. Commands:
  status            tell the state, as JSON; exit status 1 if the dataset doesn't answer
  du                tell what each snapshot takes
  fsck [-n]         compare database and ZFS, and repair; -n: only tell. Exit status 1
                    if there is something left to repair
  import [-chain-id ID] SNAPSHOT NAME
                    use a snapshot of ZFS's as a layer; it is never destroyed

flags:
`

// Program is the command, with what it needs of the process.
type Program struct {
	Stdout, Stderr io.Writer
}

// admin is what commands need: the snapshotter, or the daemon that has it.
type admin interface {
	Status(ctx context.Context) (zfs.Status, error)
	Entries(ctx context.Context) ([]zfs.Entry, error)
	Check(ctx context.Context, repair bool) (*zfs.Report, error)
	Import(ctx context.Context, snapshot, name, chainID string) error
}

// Run runs the command with arguments, and returns its exit status.
func (p *Program) Run(ctx context.Context, args []string) int {
	config := DefaultConfig()
	rest, check, err := config.parse(args, p.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		return p.fail(err, 2)
	}
	log, err := config.logger(p.Stderr)
	if err != nil {
		return p.fail(err, 2)
	}
	ctx, stop := signal.NotifyContext(ctx, unix.SIGINT, unix.SIGTERM)
	defer stop()
	if len(rest) == 0 && !check {
		if err := serve(ctx, config, log); err != nil {
			return p.fail(err, 1)
		}
		return 0
	}
	a, closeAdmin, err := openAdmin(ctx, config, log)
	if err != nil {
		return p.fail(err, 1)
	}
	status, err := p.command(ctx, a, rest, check)
	if err := errors.Join(err, closeAdmin()); err != nil {
		return p.fail(err, max(status, 1))
	}
	return status
}

func (p *Program) fail(err error, status int) int {
	fmt.Fprintln(p.Stderr, "containerd-openzfs-grpc:", err)
	return status
}

func (p *Program) command(ctx context.Context, a admin, args []string, check bool) (int, error) {
	if check {
		return p.check(ctx, a)
	}
	switch name, args := args[0], args[1:]; name {
	case "status":
		return p.status(ctx, a)
	case "du":
		return p.du(ctx, a)
	case "fsck":
		return p.fsck(ctx, a, args)
	case "import":
		return p.importSnapshot(ctx, a, args)
	default:
		return 2, fmt.Errorf("unknown command %q; -help tells which there are", name)
	}
}

// check tells whether the daemon would work.
func (p *Program) check(ctx context.Context, a admin) (int, error) {
	st, err := a.Status(ctx)
	if err != nil {
		return 1, err
	}
	if !st.Ready {
		return 1, errors.New(st.Problem)
	}
	r, err := a.Check(ctx, false)
	if err != nil {
		return 1, err
	}
	fmt.Fprintf(p.Stdout, "dataset %q is ready (engine %s): %d snapshots, %d left over, %d lost\n",
		st.Dataset, st.Engine.Engine, st.Active+st.Views+st.Committed, len(r.LeftOver), len(r.Lost))
	return 0, nil
}

func (p *Program) status(ctx context.Context, a admin) (int, error) {
	st, err := a.Status(ctx)
	if err != nil {
		return 1, err
	}
	if !st.Ready {
		return 1, p.print(st)
	}
	return 0, p.print(st)
}

func (p *Program) print(v any) error {
	e := json.NewEncoder(p.Stdout)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func (p *Program) du(ctx context.Context, a admin) (int, error) {
	entries, err := a.Entries(ctx)
	if err != nil {
		return 1, err
	}
	w := tabwriter.NewWriter(p.Stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "BYTES\tINODES\tKIND\tDATASET\tKEY")
	for _, e := range entries {
		kind := strings.ToLower(e.Kind.String())
		if e.Kept {
			kind = "kept"
		}
		fmt.Fprintf(w, "%d\t%d\t%s\t%s\t%s\n", e.Size, e.Inodes, kind, e.Dataset, e.Key)
	}
	return 0, w.Flush()
}

func (p *Program) fsck(ctx context.Context, a admin, args []string) (int, error) {
	f := flag.NewFlagSet("fsck", flag.ContinueOnError)
	f.SetOutput(p.Stderr)
	dry := f.Bool("n", false, "only tell")
	if err := f.Parse(args); err != nil {
		return 2, err
	}
	r, err := a.Check(ctx, !*dry)
	if err != nil {
		return 1, err
	}
	if err := p.print(r); err != nil {
		return 1, err
	}
	if !*dry {
		if r, err = a.Check(ctx, false); err != nil {
			return 1, err
		}
	}
	if !r.Clean() {
		return 1, nil
	}
	return 0, nil
}

func (p *Program) importSnapshot(ctx context.Context, a admin, args []string) (int, error) {
	f := flag.NewFlagSet("import", flag.ContinueOnError)
	f.SetOutput(p.Stderr)
	chain := f.String("chain-id", "", "chain `id` of the layers that it stands for")
	if err := f.Parse(args); err != nil {
		return 2, err
	}
	if f.NArg() != 2 {
		return 2, errors.New("usage: import [-chain-id ID] SNAPSHOT NAME")
	}
	return 0, a.Import(ctx, f.Arg(0), f.Arg(1), *chain)
}
