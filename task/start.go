package task

import (
	"context"
	"fmt"
	"syscall"
	"time"

	eventsapi "github.com/containerd/containerd/api/events"
	"github.com/containerd/errdefs"

	"jailshim/internal/fault"
)

// startTimeout bounds a start that nobody waits for any more.
const startTimeout = 2 * time.Minute

// start runs the user's program and returns its pid, which is the right one
// also if the program has ended already.
//
// It does not end with the client's call: a start half done would leave the
// process in a state that nobody knows.
func (c *container) start(ctx context.Context, p *process) (int, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), startTimeout)
	defer cancel()
	if err := c.beginStart(p); err != nil {
		return 0, err
	}
	err := fault.Point(fault.StartBegin)
	if err == nil {
		if p.isInit() {
			err = c.startInit(ctx)
		} else {
			err = c.runExec(ctx, p)
		}
	}
	if err == nil {
		err = fault.Point(fault.StartRuntime)
	}
	if err != nil {
		c.failStart(ctx, p)
		return 0, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := p.moveLocked(eventRunning); err != nil {
		return 0, err
	}
	c.publishStartLocked(p)
	if p.early != nil {
		c.settleLocked(p, *p.early)
	}
	return p.pid, nil
}

// beginStart claims the start of a process.
func (c *container) beginStart(p *process) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	// From the moment the init's end was seen nothing may begin: an exec's exit
	// could no longer precede the container's, and a created init that was
	// killed must not be taken for one that starts.
	if p.state == stateCreated {
		if err := c.requireAliveLocked("start"); err != nil {
			return err
		}
		if c.paused {
			return fmt.Errorf("start: container is paused: %w", errdefs.ErrFailedPrecondition)
		}
	}
	if err := p.moveLocked(eventStart); err != nil {
		return err
	}
	if !p.isInit() {
		c.active++
	}
	return nil
}

func (c *container) startInit(ctx context.Context) error {
	if err := c.init.io.OpenStdin(); err != nil {
		return err
	}
	if err := c.driver.Start(ctx); err != nil {
		return err
	}
	c.log.Debug("container started", "pid", c.init.pid)
	return nil
}

// failStart records that a program could not be run. No event tells of it; who
// waits is let go. What exists of the process is killed.
func (c *container) failStart(ctx context.Context, p *process) {
	if p.isInit() {
		if err := c.driver.KillAll(ctx, syscall.SIGKILL); err != nil {
			c.log.Error("container that could not be started can't be killed", "error", err)
		}
	} else if p.pid != 0 {
		_ = c.reaper.Signal(p.pid, syscall.SIGKILL)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	x := failedExit()
	if p.early != nil {
		x = *p.early
	}
	if err := p.stopLocked(eventFailed, x); err != nil {
		p.log.Error("failed start in the wrong state", "error", err)
		return
	}
	if !p.isInit() {
		c.active--
		c.settleInitLocked()
	}
}

func (c *container) publishStartLocked(p *process) {
	if p.isInit() {
		c.events.Publish(topicStart, &eventsapi.TaskStart{ContainerID: c.id, Pid: uint32(p.pid)})
		if c.earlyOOM {
			c.publishOOMLocked()
		}
		return
	}
	c.events.Publish(topicExecStarted, &eventsapi.TaskExecStarted{ContainerID: c.id, ExecID: p.execID, Pid: uint32(p.pid)})
}
