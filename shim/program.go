package shim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/containerd/containerd/api/types"
	"github.com/containerd/ttrpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// Program is what a shim binary does beside speaking the protocol.
type Program struct {
	// Runtime is the runtime's name, io.containerd.NAME.VERSION.
	Runtime string
	// Version is the binary's version.
	Version string

	// Serve makes the services of a new server. It returns soon; the server
	// runs until Server.Shutdown is called.
	Serve func(ctx context.Context, s *Server) (Service, error)

	// Delete removes what the dead server of a container has left, and
	// returns how the container ended. It must work with the bundle gone,
	// the server still alive, or nothing to do.
	Delete func(ctx context.Context, d *Dead) (Exit, error)

	// Info describes the runtime that these options select.
	Info func(ctx context.Context, options *anypb.Any) (*types.RuntimeInfo, error)
}

// Service is what a server serves.
type Service interface {
	// Register adds the service's methods.
	Register(*ttrpc.Server)
	// EndIfIdle ends the server, which a polite signal asks for, if nothing is left to
	// serve, and nothing new comes: else it returns false.
	EndIfIdle() bool
}

// Server is what a server gives its services.
type Server struct {
	Namespace string
	Name      string // of this server; no other has had it
	StateDir  string // see StateDir
	Reaper    *Reaper
	Events    *Publisher

	shutdown func()
}

// Shutdown asks the server to end once the calls under way are answered and
// the events are delivered. When it returns, no new client finds the server any
// more. It does not wait for the end, and may be repeated.
func (s *Server) Shutdown() { s.shutdown() }

// Dead names a container whose server containerd lost.
type Dead struct {
	Namespace string
	ID        string
	Bundle    string // absolute; need not exist
	StateDir  string // see StateDir
}

// Exit is how a process ended.
type Exit struct {
	Pid    int       // 0: not known
	Status int       // exit code, or 128 + signal
	At     time.Time // zero: not known
}

// Main runs one invocation with the arguments after the program's name, and
// returns the exit status for os.Exit.
func (p *Program) Main(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if err := p.run(ctx, args, stdin, stdout); err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", p.Runtime, err)
		return 1
	}
	return 0
}

func (p *Program) run(ctx context.Context, args []string, stdin io.Reader, stdout io.Writer) error {
	inv, err := parseArgs(args)
	if err != nil {
		return err
	}
	switch {
	case inv.version:
		_, err := fmt.Fprintf(stdout, "%s %s\n", p.Runtime, p.Version)
		return err
	case inv.info:
		return p.info(ctx, stdin, stdout)
	case inv.action == "start":
		return start(inv, stdin, stdout)
	case inv.action == "delete":
		return p.delete(ctx, inv, stdout)
	default:
		return p.serve(ctx, inv)
	}
}

// info answers -info: standard input holds the options as an Any, or nothing.
func (p *Program) info(ctx context.Context, stdin io.Reader, stdout io.Writer) error {
	in, err := io.ReadAll(io.LimitReader(stdin, maxBootstrap))
	if err != nil {
		return err
	}
	var options *anypb.Any
	if len(in) > 0 {
		options = &anypb.Any{}
		if err := proto.Unmarshal(in, options); err != nil {
			return fmt.Errorf("runtime options: %w", err)
		}
	}
	info, err := p.Info(ctx, options)
	if err != nil {
		return err
	}
	b, err := proto.Marshal(info)
	if err != nil {
		return err
	}
	_, err = stdout.Write(b)
	return err
}

// delete answers containerd's delete: the server is gone or out of reach.
func (p *Program) delete(ctx context.Context, inv *invocation, stdout io.Writer) error {
	if inv.bundle == "" {
		// Older daemons leave the flag out where the working directory says it.
		wd, err := os.Getwd()
		if err != nil {
			return fmt.Errorf("delete %q: no -bundle and no working directory: %w", inv.id, err)
		}
		inv.bundle = wd
	}
	// The bundle is about to be removed: don't keep it busy.
	if err := os.Chdir("/"); err != nil {
		return err
	}
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))
	exit, err := p.Delete(ctx, &Dead{
		Namespace: inv.namespace,
		ID:        inv.id,
		Bundle:    inv.bundle,
		StateDir:  StateDir(inv.address),
	})
	if err != nil {
		return err
	}
	_, err = stdout.Write(exit.deleteResponse())
	return err
}

// errNoListener tells a user who runs the binary by hand what is missing.
var errNoListener = errors.New("no listener on descriptor 3: this is a containerd shim and is started by containerd (ctr run --runtime io.containerd.jail.v2 …)")
