package task

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"syscall"
	"time"

	eventsapi "github.com/containerd/containerd/api/events"
	"github.com/containerd/errdefs"
	"google.golang.org/protobuf/types/known/timestamppb"

	"jailshim/driver"
)

// quiesceTimeout bounds the killing of what outlived an init.
const quiesceTimeout = 30 * time.Second

// Topics of the events, as containerd and its clients know them.
const (
	topicCreate      = "/tasks/create"
	topicStart       = "/tasks/start"
	topicExit        = "/tasks/exit"
	topicDelete      = "/tasks/delete"
	topicOOM         = "/tasks/oom"
	topicExecAdded   = "/tasks/exec-added"
	topicExecStarted = "/tasks/exec-started"
	topicPaused      = "/tasks/paused"
	topicResumed     = "/tasks/resumed"
)

// container is one container with its processes.
type container struct {
	id     string
	bundle string
	events Publisher
	reaper Reaper
	log    *slog.Logger
	init   *process
	// saveExit puts the exit of the init on record.
	saveExit func(exit)
	// unrecord takes the container off the record.
	unrecord func() error
	// forget takes the container out of the service, and tells that it was deleted.
	forget func()

	deleting sync.Mutex // held by delete; see doc.go

	mu       sync.Mutex // guards the fields below, and all processes
	driver   driver.Container
	execs    map[string]*process
	active   int // execs that are starting or running
	paused   bool
	initExit *exit // the init has ended; its exit is published when all is quiet
	quiet    bool  // nothing outlived the init
	earlyOOM bool  // the kernel killed a process before the start was over
}

// process returns the init for an empty id, or an exec. An unknown one is an
// error wrapping errdefs.ErrNotFound.
func (c *container) process(execID string) (*process, error) {
	if execID == "" {
		return c.init, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	p, ok := c.execs[execID]
	if !ok {
		return nil, fmt.Errorf("container %q: %w", c.id, notFound("exec", execID))
	}
	return p, nil
}

// exited is told by the reaper that a process has ended. It does not block.
func (c *container) exited(p *process, status int, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	x := exit{Status: status, At: at}
	switch p.state {
	case stateNew, stateStarting:
		p.early = &x // settled when the outcome of the create or start is known
	default:
		c.settleLocked(p, x)
	}
}

// settleLocked applies an exit that may now be known.
func (c *container) settleLocked(p *process, x exit) {
	if p.state == stateStopped || p.state == stateDeleted {
		return // a start that failed has told the end already
	}
	if p.isInit() {
		c.initExit = &x
		// goroutine: the container; ends when nothing of it runs, at most
		// after quiesceTimeout; delete waits for it through init.done.
		go c.quiesce(x)
		return
	}
	if err := p.stopLocked(eventExit, x); err != nil {
		p.log.Error("exit of a process that can't end", "error", err)
		return
	}
	c.publishExitLocked(p)
	c.active--
	c.settleInitLocked()
}

// quiesce kills what outlived the init. Only then, and after the exits of all
// execs, is the exit of the init published: to a client it is the end of the
// container.
func (c *container) quiesce(x exit) {
	ctx, cancel := context.WithTimeout(context.Background(), quiesceTimeout)
	defer cancel()
	c.saveExit(x)
	if err := c.driver.Quiesce(ctx); err != nil {
		c.log.Error("processes may have outlived the init", "error", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.quiet = true
	c.settleInitLocked()
}

// settleInitLocked publishes the init's exit if it is time.
func (c *container) settleInitLocked() {
	if c.initExit == nil || !c.quiet || c.active > 0 || c.init.state == stateStopped {
		return
	}
	if err := c.init.stopLocked(eventExit, *c.initExit); err != nil {
		c.log.Error("exit of an init that can't end", "error", err)
		return
	}
	c.publishExitLocked(c.init)
	c.log.Debug("container exited", "status", c.initExit.Status)
}

func (c *container) publishExitLocked(p *process) {
	c.events.Publish(topicExit, &eventsapi.TaskExit{
		ContainerID: c.id,
		ID:          p.name(),
		Pid:         uint32(p.pid),
		ExitStatus:  uint32(p.exit.Status),
		ExitedAt:    timestamppb.New(p.exit.At),
	})
}

// oom reports that the kernel killed a process for want of memory.
func (c *container) oom() {
	c.log.Warn("out of memory: the kernel killed a process of the container")
	c.mu.Lock()
	defer c.mu.Unlock()
	if st := c.init.state; st == stateNew || st == stateCreated || st == stateStarting {
		c.earlyOOM = true // who hears of it has heard of the start
		return
	}
	c.publishOOMLocked()
}

func (c *container) publishOOMLocked() {
	c.events.Publish(topicOOM, &eventsapi.TaskOOM{ContainerID: c.id})
}

// kill sends a signal to a process, or to all of the container.
//
// NotFound: the process has ended, and its exit is or will be published, so that
// a client may wait for it. FailedPrecondition: an exec that was never started.
func (c *container) kill(ctx context.Context, p *process, sig syscall.Signal, all bool) error {
	c.mu.Lock()
	st, pid, paused, ended := p.state, p.pid, c.paused, p.isInit() && c.initExit != nil
	c.mu.Unlock()
	switch {
	case st == stateDeleted, st == stateNew:
		return notFound("process", p.name())
	case st == stateStopped, ended && !all:
		return fmt.Errorf("process %q already finished: %w", p.name(), errdefs.ErrNotFound)
	case pid == 0:
		return fmt.Errorf("process %q is %s and has no pid: %w", p.name(), st, errdefs.ErrFailedPrecondition)
	}
	if all && p.isInit() {
		if err := c.driver.KillAll(ctx, sig); err != nil {
			return err
		}
	} else if err := c.reaper.Signal(pid, sig); err != nil {
		if errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("process %q already finished: %w", p.name(), errdefs.ErrNotFound)
		}
		return fmt.Errorf("signal %d to process %q: %w", sig, p.name(), err)
	}
	if !paused || sig != syscall.SIGKILL {
		return nil
	}
	// Some freezers hold the signal back until they thaw, others let it through:
	// then there is nothing left to resume.
	if err := c.resume(ctx); err != nil && c.requireAlive("kill") == nil {
		return err
	}
	return nil
}

// pause stops all processes. The container must run.
func (c *container) pause(ctx context.Context) error {
	if err := c.requireRunning("pause"); err != nil {
		return err
	}
	if err := c.driver.Pause(ctx); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.paused {
		return nil
	}
	c.paused = true
	if c.init.state == stateRunning { // nothing comes after the exit
		c.events.Publish(topicPaused, &eventsapi.TaskPaused{ContainerID: c.id})
	}
	return nil
}

// resume lets all processes go on. The container must be paused.
func (c *container) resume(ctx context.Context) error {
	c.mu.Lock()
	paused := c.paused
	c.mu.Unlock()
	if !paused {
		return fmt.Errorf("resume: container is not paused: %w", errdefs.ErrFailedPrecondition)
	}
	if err := c.driver.Resume(ctx); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.paused {
		return nil
	}
	c.paused = false
	if c.init.state == stateRunning { // nothing comes after the exit
		c.events.Publish(topicResumed, &eventsapi.TaskResumed{ContainerID: c.id})
	}
	return nil
}

// requireRunning returns an error wrapping errdefs.ErrFailedPrecondition unless
// the container runs and is not paused.
func (c *container) requireRunning(verb string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.init.state != stateRunning || c.paused {
		return fmt.Errorf("%s: container is %s: %w", verb, c.stateNameLocked(), errdefs.ErrFailedPrecondition)
	}
	return nil
}

// requireAlive returns an error wrapping errdefs.ErrFailedPrecondition if the
// init has ended.
func (c *container) requireAlive(verb string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.requireAliveLocked(verb)
}

func (c *container) requireAliveLocked(verb string) error {
	if c.initExit != nil || c.init.state == stateStopped || c.init.state == stateDeleted {
		return fmt.Errorf("%s: container is stopped: %w", verb, errdefs.ErrFailedPrecondition)
	}
	return nil
}

func (c *container) stateNameLocked() string {
	if c.paused {
		return "paused"
	}
	return c.init.state.String()
}
