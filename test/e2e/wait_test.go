package e2e

import (
	"context"
	"testing"

	tasks "github.com/containerd/containerd/api/services/tasks/v1"
	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"

	"jailshim/test/e2e/testbed"
)

// TestE2E_Wait_ManyWaiters_AllTold: the client, the daemon, a logger and an
// operator's shell all wait for the same container.
func TestE2E_Wait_ManyWaiters_AllTold(t *testing.T) {
	s := space(t)
	c := s.Run(t, testbed.Args("signal-trap"))
	p := c.Exec(t, "x", testbed.Args("signal-trap"))
	p.Start(t)
	for _, process := range []*testbed.Process{p, c.Process} { // the init's end is the exec's as well
		name := process.ID()
		var waiters []<-chan containerd.ExitStatus
		for range 50 {
			waiters = append(waiters, mustWait(t, s, process.Process))
		}
		// One of them loses patience: the others are not disturbed.
		ctx, cancel := context.WithCancel(s.Ctx)
		impatient, err := process.Wait(ctx)
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		if e := testbed.Receive(t, "the end of a wait that was given up", impatient); e.Error() == nil {
			t.Errorf("%s: a wait that was given up returned %+v", name, e)
		}
		process.ExpectStatus(t, containerd.Running)
		process.Signal(t, unix.SIGKILL)
		// After the exit it is still told, to whoever asks.
		process.ExitStatus(t)
		waiters = append(waiters, mustWait(t, s, process.Process))
		for i, w := range waiters {
			if e := testbed.Receive(t, "an exit", w); e.Error() != nil || e.ExitCode() != 128+uint32(unix.SIGKILL) {
				t.Errorf("%s: waiter %d got status %d, error %v", name, i, e.ExitCode(), e.Error())
			}
		}
	}
}

// TestE2E_Wait_Unknown_NotFound: a client that waits for something that was
// deleted must not wait for ever.
func TestE2E_Wait_Unknown_NotFound(t *testing.T) {
	s := space(t)
	c := s.Run(t, testbed.Args("true"))
	service := s.Client.TaskService()
	_, err := service.Wait(s.Ctx, &tasks.WaitRequest{ContainerID: c.ID(), ExecID: "no-such-exec"})
	expectClass(t, "wait for an unknown exec", err, errdefs.ErrNotFound)
	c.Remove(t)
	_, err = service.Wait(s.Ctx, &tasks.WaitRequest{ContainerID: c.ID()})
	expectClass(t, "wait for a deleted container", err, errdefs.ErrNotFound)
}

// TestE2E_Wait_DeletedBeforeStart_Returns: a client that waits before it starts,
// as it should, and then changes its mind.
func TestE2E_Wait_DeletedBeforeStart_Returns(t *testing.T) {
	s := space(t)
	p := s.Run(t).Exec(t, "x")
	if _, err := p.Delete(s.Ctx); err != nil {
		t.Fatal(err)
	}
	// What it is told is of no interest; that it is told is.
	if testbed.Runtime == testbed.OurRuntime { // containerd's shim never answers
		testbed.Receive(t, "the end of waiting for an exec that was deleted", mustWait(t, s, p.Process))
	}
}
