package task

import (
	"context"
	"fmt"
	"sync"
	"syscall"
	"time"

	eventsapi "github.com/containerd/containerd/api/events"
	"github.com/containerd/errdefs"
	"google.golang.org/protobuf/types/known/timestamppb"

	"jailshim/internal/fault"
	"jailshim/task/stdio"
)

const (
	// deleteTimeout bounds a Delete, whoever still waits for it.
	deleteTimeout = time.Minute
	// killTimeout bounds the wait for a process that was killed.
	killTimeout = 10 * time.Second
)

// deleteExec forgets an exec that was never started, or has ended, and returns
// how it ended: status 0 if it never ran.
func (c *container) deleteExec(ctx context.Context, p *process) (exit, int, error) {
	c.mu.Lock()
	if err := p.deleteLocked(); err != nil {
		c.mu.Unlock()
		return exit{}, 0, err
	}
	delete(c.execs, p.execID)
	io, x, pid := p.io, p.exit, p.pid
	c.mu.Unlock()
	if io != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deleteTimeout)
		defer cancel()
		io.Drain(ctx)
		io.Close()
	}
	return x, pid, nil
}

// delete removes a container that has ended or was never started, and returns
// how its init ended. A failure leaves it as it was, to be deleted again.
//
// It does not end with the client's call, and a second one waits for the first.
func (c *container) delete(ctx context.Context) (exit, int, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deleteTimeout)
	defer cancel()
	c.deleting.Lock()
	defer c.deleting.Unlock()
	if err := c.end(ctx); err != nil {
		return exit{}, 0, err
	}
	if err := fault.Point(fault.DeleteBegin); err != nil {
		return exit{}, 0, err
	}
	streams := c.streams()
	drain(ctx, streams)
	if err := fault.Point(fault.DeleteDrained); err != nil {
		return exit{}, 0, err
	}
	// Nobody is left to write. FreeBSD charges a pipe's buffer to the jail of its
	// writer, and keeps the jail, and so its root, while the pipe is open.
	for _, io := range streams {
		io.Close()
	}
	if err := c.driver.Delete(ctx); err != nil {
		return exit{}, 0, err
	}
	if err := c.unrecord(); err != nil {
		return exit{}, 0, err
	}
	c.forget()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.init.exit, c.init.pid, nil
}

// announceDelete ends all processes' lives, and tells of the container's. Each process has
// ended, or was never started.
func (c *container) announceDelete() {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.init
	if err := p.deleteLocked(); err != nil {
		c.log.Error("deleted init in the wrong state", "error", err)
	}
	for _, e := range c.execs {
		if err := e.deleteLocked(); err != nil {
			e.log.Error("exec of a deleted container can't be deleted", "error", err)
		}
	}
	c.events.Publish(topicDelete, &eventsapi.TaskDelete{
		ContainerID: c.id,
		Pid:         uint32(p.pid),
		ExitStatus:  uint32(p.exit.Status),
		ExitedAt:    timestamppb.New(p.exit.At),
	})
	c.log.Debug("container deleted")
}

// streams returns those of the init, and of the execs that the client has not deleted.
func (c *container) streams() []*stdio.IO {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := []*stdio.IO{c.init.io}
	for _, e := range c.execs {
		if e.io != nil {
			out = append(out, e.io)
		}
	}
	return out
}

// drain drains all streams at the same time: the slowest sets how long it takes.
func drain(ctx context.Context, streams []*stdio.IO) {
	var wg sync.WaitGroup
	for _, io := range streams {
		// goroutine: drain; ends with the output, or soon after ctx; waited for by drain.
		wg.Go(func() { io.Drain(ctx) })
	}
	wg.Wait()
}

// end makes sure that the init has ended: one that was never started is killed,
// and its exit published. FailedPrecondition if it runs.
func (c *container) end(ctx context.Context) error {
	c.mu.Lock()
	st, ended := c.init.state, c.initExit != nil
	c.mu.Unlock()
	switch st {
	case stateStopped:
		return nil
	case stateDeleted:
		return notFound("container", c.id)
	case stateCreated:
		if err := c.driver.KillAll(ctx, syscall.SIGKILL); err != nil {
			return err
		}
	default:
		if !ended {
			return fmt.Errorf("process is %s: stop it first: %w", st, errdefs.ErrFailedPrecondition)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, killTimeout)
	defer cancel()
	select {
	case <-c.init.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("process %d did not end when killed: %w", c.init.pid, ctx.Err())
	}
}
