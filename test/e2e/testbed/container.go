package testbed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	runtimeoptions "github.com/containerd/containerd/api/types/runtimeoptions/v1"
	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/containers"
	"github.com/containerd/containerd/v2/pkg/cio"
	"github.com/containerd/containerd/v2/pkg/oci"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"google.golang.org/protobuf/types/known/anypb"
)

// marker is an environment variable of every process in a container, by which it
// is found wherever it may have gone.
const marker = "JAILSHIM_E2E"

// ProcessOption says how a process, a container's init or an exec, is to be.
type ProcessOption func(*processConfig)

// processConfig collects the options of a container or exec.
type processConfig struct {
	id       string
	args     []string
	terminal bool
	stdin    io.Reader
	creator  cio.Creator
	process  []func(*specs.Process)

	// Of containers only.
	spec      []oci.SpecOpts
	container []containerd.NewContainerOpts
	task      []containerd.NewTaskOpts
	options   any
}

// Args is the program to run and its arguments. A container without it runs the
// guest's "hold".
func Args(args ...string) ProcessOption { return func(c *processConfig) { c.args = args } }

// ID is the container's or exec's name. Without it a container gets one.
func ID(id string) ProcessOption { return func(c *processConfig) { c.id = id } }

// Terminal gives the process a terminal.
func Terminal() ProcessOption { return func(c *processConfig) { c.terminal = true } }

// Stdin connects the process's standard input. Without it, it is empty.
func Stdin(r io.Reader) ProcessOption { return func(c *processConfig) { c.stdin = r } }

// IO replaces the fifos: the process's Out and Err stay empty.
func IO(creator cio.Creator) ProcessOption { return func(c *processConfig) { c.creator = creator } }

// WithProcess changes the process in the spec.
func WithProcess(f func(*specs.Process)) ProcessOption {
	return func(c *processConfig) { c.process = append(c.process, f) }
}

// Spec changes the container's spec.
func Spec(opts ...oci.SpecOpts) ProcessOption {
	return func(c *processConfig) { c.spec = append(c.spec, opts...) }
}

// RawSpec replaces the container's spec, as JSON, by another text. Containerd looks
// only into specs of a type that it knows: with known false it hands the text to
// the shim unseen.
func RawSpec(known bool, change func(spec []byte) []byte) ProcessOption {
	return func(c *processConfig) {
		c.container = append(c.container, func(_ context.Context, _ *containerd.Client, c *containers.Container) error {
			spec := &anypb.Any{TypeUrl: c.Spec.GetTypeUrl(), Value: change(c.Spec.GetValue())}
			if !known {
				spec.TypeUrl = "e2e.test/spec"
			}
			c.Spec = spec
			return nil
		})
	}
}

// Annotate adds an annotation to the container's spec.
func Annotate(key, value string) ProcessOption {
	return Spec(oci.WithAnnotations(map[string]string{key: value}))
}

// RuntimeOptions are passed to the runtime.
func RuntimeOptions(options any) ProcessOption {
	return func(c *processConfig) { c.options = options }
}

// TaskOptions are applied when the task is created.
func TaskOptions(opts ...containerd.NewTaskOpts) ProcessOption {
	return func(c *processConfig) { c.task = append(c.task, opts...) }
}

// Process is a container's init or an exec.
type Process struct {
	containerd.Process
	// Out and Err hold what it wrote; with a terminal all is in Out.
	Out, Err *Output

	space *Space
	ended chan struct{}         // closed when exit is set
	exit  containerd.ExitStatus // not before ended
}

// await begins to wait for the process's exit.
func (p *Process) await(ctx context.Context) error {
	exit, err := p.Wait(ctx)
	if err != nil {
		return err
	}
	p.ended = make(chan struct{})
	// goroutine: of the process; ends at its exit or with the context; waited
	// for through ended.
	go func() {
		p.exit = <-exit
		close(p.ended)
	}()
	return nil
}

// Container is a container and, once it is created, its task.
type Container struct {
	containerd.Container
	// Task is nil before Create.
	Task containerd.Task
	// Process is the init process.
	*Process

	config processConfig
}

// ID is the container's.
func (c *Container) ID() string { return c.Container.ID() }

// New makes a container in the database, with its root file system: nothing of
// it runs.
func (s *Space) New(tb testing.TB, opts ...ProcessOption) *Container {
	tb.Helper()
	s.containers++
	config := processConfig{id: fmt.Sprintf("c%d", s.containers), args: []string{"hold"}}
	for _, o := range opts {
		o(&config)
	}
	if config.options == nil {
		options, err := defaultOptions()
		if err != nil {
			tb.Fatal(err)
		}
		config.options = options
	}
	spec := append(defaultSpec(),
		oci.WithImageConfig(s.Image),
		oci.WithProcessArgs(config.args...),
		oci.WithEnv([]string{marker + "=" + s.Dir}),
	)
	if config.terminal {
		spec = append(spec, oci.WithTTY)
	}
	spec = append(spec, config.spec...)
	spec = append(spec, func(_ context.Context, _ oci.Client, _ *containers.Container, spec *oci.Spec) error {
		for _, f := range config.process {
			f(spec.Process)
		}
		return nil
	})
	container, err := s.Client.NewContainer(s.Ctx, config.id, append([]containerd.NewContainerOpts{
		containerd.WithSnapshotter(Snapshotter),
		containerd.WithImage(s.Image),
		containerd.WithNewSnapshot(config.id, s.Image),
		containerd.WithRuntime(Runtime, config.options),
		containerd.WithNewSpec(spec...),
	}, config.container...)...)
	if err != nil {
		tb.Fatalf("container %s: %v", config.id, err)
	}
	return &Container{Container: container, Process: s.process(&config), config: config}
}

// defaultOptions are the runtime options of containers for which a test has none:
// nil, or the choice of an OCI command.
func defaultOptions() (any, error) {
	toml, err := defaultTOML()
	if err != nil || toml == "" {
		return nil, err
	}
	return &runtimeoptions.Options{ConfigBody: []byte(toml)}, nil
}

// defaultTOML is the same as TOML, empty for none.
func defaultTOML() (string, error) {
	command, err := OCIRuntime()
	if err != nil || command == "" || Runtime != OurRuntime {
		return "", err
	}
	return fmt.Sprintf("oci_runtime = %q\n", command), nil
}

// RunArgs returns the arguments of "ctr run" that choose the runtime, its options
// and the snapshotter.
func (s *Space) RunArgs(tb testing.TB) []string {
	tb.Helper()
	args := []string{"run", "--runtime", Runtime, "--snapshotter", Snapshotter, "--fifo-dir", s.fifoDir()}
	toml, err := defaultTOML()
	if err != nil {
		tb.Fatal(err)
	}
	if toml == "" {
		return args
	}
	file := filepath.Join(s.Dir, "runtime.toml")
	if err := os.WriteFile(file, []byte(toml), 0o644); err != nil {
		tb.Fatal(err)
	}
	return append(args, "--runtime-config-path", file)
}

// process prepares a process's streams.
func (s *Space) process(c *processConfig) *Process {
	p := &Process{space: s, Out: NewOutput(c.id + "'s stdout"), Err: NewOutput(c.id + "'s stderr")}
	if c.creator == nil {
		streams := []cio.Opt{cio.WithFIFODir(s.fifoDir()), cio.WithStreams(c.stdin, p.Out, p.Err)}
		if c.terminal {
			streams = append(streams, cio.WithTerminal)
		}
		c.creator = cio.NewCreator(streams...)
	}
	return p
}

// Adopt makes a container of one that another client made.
func (s *Space) Adopt(container containerd.Container, task containerd.Task) *Container {
	config := processConfig{id: container.ID()}
	c := &Container{Container: container, Task: task, Process: s.process(&config), config: config}
	c.Process.Process = task
	return c
}

// TryCreate creates the task.
func (c *Container) TryCreate() error {
	task, err := c.NewTask(c.space.Ctx, c.config.creator, c.config.task...)
	if err != nil {
		return err
	}
	c.space.NoteSocket(c.ID())
	c.Task, c.Process.Process = task, task
	return c.await(c.space.Ctx)
}

// NoteSocket remembers the socket of a container's shim, which must be gone at the
// end. Older daemons don't note it in the bundle; theirs is not looked for.
func (s *Space) NoteSocket(id string) {
	if address, err := s.ShimAddress(id); err == nil {
		s.sockets.add(address)
	}
}

// ShimAddress returns the path of the socket on which a container's shim
// listens.
func (s *Space) ShimAddress(id string) (string, error) {
	b, err := os.ReadFile(filepath.Join(s.Bundle(id), "bootstrap.json"))
	if err != nil {
		return "", err
	}
	var bootstrap struct {
		Address string `json:"address"`
	}
	if err := json.Unmarshal(b, &bootstrap); err != nil {
		return "", err
	}
	address, ok := strings.CutPrefix(bootstrap.Address, "unix://")
	if !ok {
		return "", fmt.Errorf("shim address %q is no UNIX socket", bootstrap.Address)
	}
	return address, nil
}

// Create creates the task.
func (c *Container) Create(tb testing.TB) *Container {
	tb.Helper()
	if err := c.TryCreate(); err != nil {
		tb.Fatalf("create the task of %s: %v", c.ID(), err)
	}
	return c
}

// Start starts the process.
func (p *Process) Start(tb testing.TB) {
	tb.Helper()
	if err := p.Process.Start(p.space.Ctx); err != nil {
		tb.Fatalf("start %s: %v", p.ID(), err)
	}
}

// Run makes a container and starts it.
func (s *Space) Run(tb testing.TB, opts ...ProcessOption) *Container {
	tb.Helper()
	c := s.New(tb, opts...).Create(tb)
	c.Start(tb)
	return c
}

// Exited waits until the process has exited and all its output is there, and
// returns its exit status.
func (p *Process) Exited(tb testing.TB) uint32 {
	tb.Helper()
	status := p.ExitStatus(tb)
	copied := make(chan struct{})
	// goroutine: ends when the shim has closed the fifos; waited for below.
	go func() {
		defer close(copied)
		if streams := p.IO(); streams != nil {
			streams.Wait()
		}
	}()
	Closed(tb, "the end of the output of "+p.ID()+", which has exited", copied)
	return status
}

// ExitStatus waits until the process has exited, and returns its exit status.
func (p *Process) ExitStatus(tb testing.TB) uint32 {
	tb.Helper()
	Closed(tb, "the exit of "+p.ID(), p.ended)
	if err := p.exit.Error(); err != nil {
		tb.Fatalf("wait for %s: %v", p.ID(), err)
	}
	return p.exit.ExitCode()
}

// Ended is closed when the process has exited, or nobody is left who could tell.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Signal sends a signal to the process.
func (p *Process) Signal(tb testing.TB, sig syscall.Signal, opts ...containerd.KillOpts) {
	tb.Helper()
	if err := p.Kill(p.space.Ctx, sig, opts...); err != nil {
		tb.Fatalf("send %v to %s: %v", sig, p.ID(), err)
	}
}

// ExpectStatus fails the test unless the process is in the given state.
func (p *Process) ExpectStatus(tb testing.TB, want containerd.ProcessStatus) {
	tb.Helper()
	got, err := p.Status(p.space.Ctx)
	if err != nil {
		tb.Fatalf("status of %s: %v", p.ID(), err)
	}
	if got.Status != want {
		tb.Fatalf("%s is %s, want %s", p.ID(), got.Status, want)
	}
}

// DeleteProcess deletes a stopped exec.
func (p *Process) DeleteProcess(tb testing.TB) uint32 {
	tb.Helper()
	status, err := p.Delete(p.space.Ctx)
	if err != nil {
		tb.Fatalf("delete %s: %v", p.ID(), err)
	}
	return status.ExitCode()
}

// Remove deletes the task, killing what runs, and the container. It returns the
// exit status of the task's deletion.
func (c *Container) Remove(tb testing.TB) uint32 {
	tb.Helper()
	status, err := c.Task.Delete(c.space.Ctx, containerd.WithProcessKill)
	if err != nil {
		tb.Fatalf("delete the task of %s: %v", c.ID(), err)
	}
	c.Forget(tb)
	return status.ExitCode()
}

// Forget deletes the container, which must have no task.
func (c *Container) Forget(tb testing.TB) {
	tb.Helper()
	if err := c.Delete(c.space.Ctx, containerd.WithSnapshotCleanup); err != nil {
		tb.Fatalf("delete the container %s: %v", c.ID(), err)
	}
}

// TryExec adds an exec to the container.
func (c *Container) TryExec(id string, opts ...ProcessOption) (*Process, error) {
	config := processConfig{id: id, args: []string{"true"}}
	for _, o := range opts {
		o(&config)
	}
	spec, err := c.Spec(c.space.Ctx)
	if err != nil {
		return nil, err
	}
	process := spec.Process
	process.Args, process.Terminal = config.args, config.terminal
	for _, f := range config.process {
		f(process)
	}
	p := c.space.process(&config)
	if p.Process, err = c.Task.Exec(c.space.Ctx, id, process, config.creator); err != nil {
		return nil, err
	}
	return p, p.await(c.space.Ctx)
}

// Exec adds an exec to the container, without starting it.
func (c *Container) Exec(tb testing.TB, id string, opts ...ProcessOption) *Process {
	tb.Helper()
	p, err := c.TryExec(id, opts...)
	if err != nil {
		tb.Fatalf("add exec %s to %s: %v", id, c.ID(), err)
	}
	return p
}

// RunExec runs a command in the container to its end, and returns what it wrote
// to stdout. It must succeed.
func (c *Container) RunExec(tb testing.TB, id string, args ...string) string {
	tb.Helper()
	p := c.Exec(tb, id, Args(args...))
	p.Start(tb)
	if code := p.Exited(tb); code != 0 {
		tb.Fatalf("%v in %s: exit status %d, stderr %q", args, c.ID(), code, p.Err)
	}
	p.DeleteProcess(tb)
	return p.Out.String()
}

// ExpectAlive runs a command in the container, and wants to see what it writes.
func (c *Container) ExpectAlive(tb testing.TB) {
	tb.Helper()
	if got := c.RunExec(tb, "still-alive", "echo", "alive"); got != "alive\n" {
		tb.Errorf("exec in %s: got output %q", c.ID(), got)
	}
}

// Forgotten waits until containerd has no task of the container any more.
func (c *Container) Forgotten(tb testing.TB) {
	tb.Helper()
	Until(tb, "containerd to forget the task of "+c.ID(), func() error {
		switch _, err := c.Container.Task(c.space.Ctx, nil); {
		case errdefs.IsNotFound(err):
			return nil
		case err != nil:
			return err
		}
		return errors.New("it still has it")
	})
}

// ShimPid returns the process of a container's shim.
func (s *Space) ShimPid(tb testing.TB, id string) int {
	tb.Helper()
	shim, err := s.Shim(id)
	if err != nil {
		tb.Fatal(err)
	}
	pid, err := shim.Pid(s.Ctx)
	if err := errors.Join(err, shim.Close()); err != nil {
		tb.Fatalf("ask the shim of %s for its pid: %v", id, err)
	}
	return pid
}
