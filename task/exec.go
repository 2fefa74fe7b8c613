package task

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	eventsapi "github.com/containerd/containerd/api/events"
	taskapi "github.com/containerd/containerd/api/runtime/task/v2"
	"github.com/containerd/errdefs"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"google.golang.org/protobuf/types/known/anypb"

	"jailshim/driver"
	"jailshim/internal/fault"
	"jailshim/internal/lazyjson"
	"jailshim/task/stdio"
)

// exec adds a process to a container; start runs it.
func (c *container) exec(r *taskapi.ExecProcessRequest) error {
	spec, err := processSpec(r.Spec)
	if err != nil {
		return err
	}
	spec.Terminal = r.Terminal
	config := c.init.config
	config.Stdin, config.Stdout, config.Stderr, config.Terminal = r.Stdin, r.Stdout, r.Stderr, r.Terminal
	if err := config.Validate(); err != nil {
		return err
	}
	p := newProcess(c, r.ExecID, config, spec, c.log.With("exec", r.ExecID))

	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.execs[r.ExecID]; ok {
		return fmt.Errorf("exec %q: %w", r.ExecID, errdefs.ErrAlreadyExists)
	}
	if err := c.requireAliveLocked("exec"); err != nil {
		return err
	}
	if err := fault.Point(fault.ExecRecorded); err != nil {
		return err
	}
	if err := p.moveLocked(eventCreated); err != nil {
		return err
	}
	c.execs[r.ExecID] = p
	c.events.Publish(topicExecAdded, &eventsapi.TaskExecAdded{ContainerID: c.id, ExecID: r.ExecID})
	return nil
}

// runExec makes the process of an exec and has it watched.
func (c *container) runExec(ctx context.Context, p *process) (retErr error) {
	io, err := stdio.Open(ctx, p.config, c.reaper, p.log)
	if err != nil {
		return err
	}
	defer func() {
		if retErr != nil {
			io.Close()
		}
	}()
	if err := fault.Point(fault.ExecStdio); err != nil {
		return err
	}
	release := c.reaper.Hold()
	defer release()
	made, err := c.driver.Exec(ctx, &driver.ExecConfig{ID: p.execID, Spec: p.spec, Terminal: p.config.Terminal, Stdio: io.Child()})
	if err != nil {
		return err
	}
	if made.Console != nil {
		io.Attach(made.Console)
	}
	io.CloseChild()
	if err := io.OpenStdin(); err != nil {
		return errors.Join(err, syscall.Kill(made.Pid, syscall.SIGKILL)) // a child that nobody has waited for
	}
	if err := c.reaper.Watch(made.Pid, func(status int, at time.Time) { c.exited(p, status, at) }); err != nil {
		return err
	}
	// Only now: before it is watched a kill would take it for one that has ended. An exit
	// that comes first is kept until the start is over.
	c.mu.Lock()
	p.pid = made.Pid
	c.mu.Unlock()
	if err := fault.Point(fault.ExecWatched); err != nil {
		return err
	}
	p.setIO(io)
	return nil
}

// processSpec decodes the process of an exec: JSON of the OCI process structure.
// Errors wrap errdefs.ErrInvalidArgument.
func processSpec(a *anypb.Any) (*specs.Process, error) {
	if a == nil {
		return nil, fmt.Errorf("process spec is missing: %w", errdefs.ErrInvalidArgument)
	}
	if !strings.HasSuffix(a.TypeUrl, "opencontainers/runtime-spec/1/Process") {
		return nil, fmt.Errorf("process spec has type %q: %w", a.TypeUrl, errdefs.ErrInvalidArgument)
	}
	var spec specs.Process
	if err := lazyjson.Unmarshal(a.Value, &spec); err != nil {
		return nil, fmt.Errorf("process spec: %w: %w", errdefs.ErrInvalidArgument, err)
	}
	if len(spec.Args) == 0 {
		return nil, fmt.Errorf("process spec: args is empty: %w", errdefs.ErrInvalidArgument)
	}
	if !filepath.IsAbs(spec.Cwd) {
		return nil, fmt.Errorf("process spec: cwd %q is not an absolute path: %w", spec.Cwd, errdefs.ErrInvalidArgument)
	}
	return &spec, nil
}
