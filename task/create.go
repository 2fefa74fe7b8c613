package task

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	eventsapi "github.com/containerd/containerd/api/events"
	taskapi "github.com/containerd/containerd/api/runtime/task/v2"
	"github.com/containerd/containerd/api/types"
	"github.com/containerd/errdefs"

	"jailshim/driver"
	"jailshim/internal/fault"
	"jailshim/options"
	"jailshim/task/stdio"
)

const (
	// createTimeout bounds a Create that nobody waits for any more.
	createTimeout = 2 * time.Minute
	// undoTimeout bounds the undoing of a call that failed.
	undoTimeout = 30 * time.Second
)

// create makes a container whose init is ready to be started, and returns the
// init's pid. A failure leaves nothing, not even the id; what can't be taken back
// stays on record.
//
// It runs to its end even when the client goes away meanwhile; then the
// container is taken back.
func (s *Service) create(ctx context.Context, r *taskapi.CreateTaskRequest) (_ int, retErr error) {
	opts, config, err := s.checkCreate(r)
	if err != nil {
		return 0, err
	}
	if err := s.reserve(r.ID); err != nil {
		return 0, err
	}
	defer s.release(r.ID)

	work, cancel := context.WithTimeout(context.WithoutCancel(ctx), createTimeout)
	defer cancel()
	var (
		back undo
		rec  *record
	)
	defer func() {
		if retErr != nil {
			retErr = errors.Join(retErr, s.takeBack(&back, rec))
		}
	}()
	if err := fault.Point(fault.CreateBegin); err != nil {
		return 0, err
	}
	rt, err := s.NewRuntime(s.Namespace, opts)
	if err != nil {
		return 0, err
	}
	rec = &record{Namespace: s.Namespace, ID: r.ID, Bundle: r.Bundle, Shim: s.Shim, Options: opts}
	if err := rec.write(s.StateDir); err != nil {
		return 0, err
	}
	if err := fault.Point(fault.CreateRecorded); err != nil {
		return 0, err
	}
	c := s.newContainer(r, rec, config)
	if err := c.make(work, rt, r, &back); err != nil {
		return 0, err
	}
	if err := ctx.Err(); err != nil {
		return 0, fmt.Errorf("the client went away: %w", err)
	}
	s.register(c, r)
	return c.init.pid, nil
}

// takeBack undoes a create. The record, if there is one yet, goes only when all
// else is gone: a cleanup must know what is left.
func (s *Service) takeBack(back *undo, rec *record) error {
	if err := back.run(); err != nil || rec == nil {
		return err
	}
	return rec.remove(s.StateDir)
}

// checkCreate looks at everything in a request that can be wrong by itself.
func (s *Service) checkCreate(r *taskapi.CreateTaskRequest) (options.Options, stdio.Config, error) {
	config := stdio.Config{Namespace: s.Namespace, Container: r.ID, Stdin: r.Stdin, Stdout: r.Stdout, Stderr: r.Stderr, Terminal: r.Terminal}
	if err := validID("container id", r.ID); err != nil {
		return options.Options{}, config, err
	}
	if !filepath.IsAbs(r.Bundle) {
		return options.Options{}, config, fmt.Errorf("bundle %q: not an absolute path: %w", r.Bundle, errdefs.ErrInvalidArgument)
	}
	if r.Checkpoint != "" || r.ParentCheckpoint != "" {
		return options.Options{}, config, fmt.Errorf("restore from checkpoint %q: %w", r.Checkpoint, errdefs.ErrNotImplemented)
	}
	opts, ignored, err := options.Decode(r.Options)
	if err != nil {
		return options.Options{}, config, err
	}
	s.tellIgnored(ignored)
	return opts, config, config.Validate()
}

func (s *Service) newContainer(r *taskapi.CreateTaskRequest, rec *record, config stdio.Config) *container {
	c := &container{
		id:     r.ID,
		bundle: r.Bundle,
		events: s.Events,
		reaper: s.Reaper,
		log:    s.Log.With("container", r.ID),
		execs:  make(map[string]*process),
	}
	c.saveExit = func(x exit) {
		if err := rec.writeExit(s.StateDir, exit{x.Status, x.At.UTC()}); err != nil {
			c.log.Error("exit can't be recorded", "error", err)
		}
	}
	c.unrecord = func() error { return rec.remove(s.StateDir) }
	c.forget = func() { s.forget(c) }
	c.init = newProcess(c, "", config, nil, c.log)
	return c
}

// make opens the stdio, lets the runtime create the container, and has the init
// watched. What it made is on back, also when it fails.
func (c *container) make(ctx context.Context, rt driver.Runtime, r *taskapi.CreateTaskRequest, back *undo) error {
	p := c.init
	io, err := stdio.Open(ctx, p.config, c.reaper, p.log)
	if err != nil {
		return err
	}
	back.push(func() error { io.Close(); return nil })
	if err := fault.Point(fault.CreateStdio); err != nil {
		return err
	}
	release := c.reaper.Hold()
	defer release()
	d, err := rt.Create(ctx, &driver.CreateConfig{
		ID:       c.id,
		Bundle:   c.bundle,
		Rootfs:   rootfs(r.Rootfs),
		Terminal: r.Terminal,
		Stdio:    io.Child(),
		OOM:      c.oom,
	})
	if err != nil {
		return err
	}
	back.push(func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
		defer cancel()
		return d.Delete(ctx)
	})
	if err := fault.Point(fault.CreateRuntime); err != nil {
		return err
	}
	made := d.Init()
	if made.Console != nil {
		io.Attach(made.Console)
	}
	io.CloseChild()
	c.mu.Lock()
	c.driver, p.pid = d, made.Pid
	c.mu.Unlock()
	p.setIO(io)
	if err := c.reaper.Watch(made.Pid, func(status int, at time.Time) { c.exited(p, status, at) }); err != nil {
		return err
	}
	return fault.Point(fault.CreateWatched)
}

// announce makes the container known, and settles an exit that came early.
func (c *container) announce(r *taskapi.CreateTaskRequest) {
	p := c.init
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := p.moveLocked(eventCreated); err != nil {
		c.log.Error("new init in the wrong state", "error", err)
	}
	c.events.Publish(topicCreate, &eventsapi.TaskCreate{
		ContainerID: c.id,
		Bundle:      c.bundle,
		Rootfs:      r.Rootfs,
		IO: &eventsapi.TaskIO{
			Stdin:    r.Stdin,
			Stdout:   r.Stdout,
			Stderr:   r.Stderr,
			Terminal: r.Terminal,
		},
		Pid: uint32(p.pid),
	})
	if p.early != nil {
		c.settleLocked(p, *p.early)
	}
	c.log.Debug("container created", "pid", p.pid)
}

func rootfs(mounts []*types.Mount) []driver.Mount {
	out := make([]driver.Mount, 0, len(mounts))
	for _, m := range mounts {
		out = append(out, driver.Mount{Type: m.Type, Source: m.Source, Target: m.Target, Options: m.Options})
	}
	return out
}
