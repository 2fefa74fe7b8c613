package e2e

import (
	"fmt"
	"strconv"
	"testing"

	tasks "github.com/containerd/containerd/api/services/tasks/v1"
	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"

	"jailshim/test/e2e/testbed"
)

// TestE2E_Kill_Signals_Delivered: "kill -HUP" to reload a configuration.
func TestE2E_Kill_Signals_Delivered(t *testing.T) {
	s := space(t)
	c := s.Run(t, testbed.Args("signal-trap"))
	p := c.Exec(t, "x", testbed.Args("signal-trap"))
	p.Start(t)
	for _, process := range []*testbed.Process{c.Process, p} {
		process.Out.Await(t, "ready\n")
		for _, sig := range []unix.Signal{unix.SIGHUP, unix.SIGUSR1, unix.SIGTERM, unix.SIGWINCH} {
			process.Signal(t, sig)
			process.Out.Await(t, fmt.Sprintf("signal %d\n", int(sig)))
		}
	}
}

// TestE2E_Kill_Created_ExitReported: a client gives up before the start; it waits
// for the exit of what it killed.
func TestE2E_Kill_Created_ExitReported(t *testing.T) {
	s := space(t)
	c := s.New(t).Create(t)
	c.Signal(t, unix.SIGKILL)
	const want = 128 + uint32(unix.SIGKILL)
	if got := c.ExitStatus(t); got != want {
		t.Errorf("exit status %d, want %d", got, want)
	}
	if e := s.Events.Await(t, testbed.TopicExit, c.ID(), ""); e.Status != want {
		t.Errorf("event tells status %d, want %d", e.Status, want)
	}
	c.ExpectStatus(t, containerd.Stopped)
	err := c.Task.Start(s.Ctx)
	if err == nil {
		t.Error("what was killed before its start was started")
	}
	if testbed.Runtime == testbed.OurRuntime { // containerd's shim answers Unknown
		expectClass(t, "start a stopped container", err, errdefs.ErrFailedPrecondition)
	}
	if got := c.Remove(t); got != want {
		t.Errorf("deletion tells status %d, want %d", got, want)
	}
}

// TestE2E_Kill_NotThere_ClassTells: clients loop on these: NotFound says that the
// exit is or will be reported, FailedPrecondition that there is nothing to wait
// for.
func TestE2E_Kill_NotThere_ClassTells(t *testing.T) {
	s := space(t)
	service := s.Client.TaskService()
	kill := func(id, exec string, sig unix.Signal) error {
		_, err := service.Kill(s.Ctx, &tasks.KillRequest{ContainerID: id, ExecID: exec, Signal: uint32(sig)})
		return err
	}
	c := s.Run(t)
	expectClass(t, "unknown container", kill("no-such-container", "", unix.SIGKILL), errdefs.ErrNotFound)
	expectClass(t, "unknown exec", kill(c.ID(), "no-such-exec", unix.SIGKILL), errdefs.ErrNotFound)
	p := c.Exec(t, "x", testbed.Args("hold"))
	expectClass(t, "exec that was not started", kill(c.ID(), "x", unix.SIGKILL), errdefs.ErrFailedPrecondition)
	p.Start(t)
	p.Signal(t, unix.SIGTERM)
	p.Exited(t)
	expectClass(t, "exec that has exited", kill(c.ID(), "x", unix.SIGKILL), errdefs.ErrNotFound)
	c.Signal(t, unix.SIGKILL)
	c.Exited(t)
	expectClass(t, "container that has exited", kill(c.ID(), "", unix.SIGKILL), errdefs.ErrNotFound)
	c.Remove(t)
	expectClass(t, "container that was deleted", kill(c.ID(), "", unix.SIGKILL), errdefs.ErrNotFound)
}

// TestE2E_Kill_SignalOutOfRange_InvalidArgument: such a number must not reach the
// kernel as another signal, or as none.
func TestE2E_Kill_SignalOutOfRange_InvalidArgument(t *testing.T) {
	testbed.Require(t, testbed.OurShim)
	s := space(t)
	c := s.Run(t)
	for _, sig := range []uint32{129, 1 << 20, 1<<32 - 9} {
		_, err := s.Client.TaskService().Kill(s.Ctx, &tasks.KillRequest{ContainerID: c.ID(), Signal: sig})
		expectClass(t, "signal "+strconv.Itoa(int(sig)), err, errdefs.ErrInvalidArgument)
	}
	c.ExpectStatus(t, containerd.Running)
}

// TestE2E_Kill_All_EveryProcess: "kill --all" is for containers whose processes
// don't listen: none may survive, whatever started it.
func TestE2E_Kill_All_EveryProcess(t *testing.T) {
	s := space(t)
	c := s.Run(t, testbed.Args("signal-trap"))
	p := c.Exec(t, "x", testbed.Args("signal-trap"))
	p.Start(t)
	p.Out.Await(t, "ready\n")
	q := c.Exec(t, "y", testbed.Args("spawn-grandchild", "-ignore-term", "inf"))
	q.Start(t)
	q.Out.Await(t, "ready\n")                  // the grandchild's
	if testbed.Runtime == testbed.OurRuntime { // containerd's shim tells the init alone
		// A signal that all of them survive, and can tell of.
		c.Signal(t, unix.SIGUSR1, containerd.WithKillAll)
		for _, out := range []*testbed.Output{c.Out, p.Out, q.Out} {
			out.Await(t, fmt.Sprintf("signal %d\n", int(unix.SIGUSR1)))
		}
	}
	c.Signal(t, unix.SIGKILL, containerd.WithKillAll)
	c.Exited(t)
	p.Exited(t)
	q.Exited(t) // its output ends only with the grandchild
}

// TestE2E_Kill_Init_TakesTheRestAlong: a container is over when its init is: what
// it left behind must not go on unseen.
func TestE2E_Kill_Init_TakesTheRestAlong(t *testing.T) {
	s := space(t)
	c := s.Run(t)
	p := c.Exec(t, "x", testbed.Args("spawn-grandchild", "-ignore-term", "inf"))
	p.Start(t)
	p.Out.Await(t, "ready\n")
	c.Signal(t, unix.SIGKILL)
	c.Exited(t)
	p.Exited(t)
	c.Remove(t)
	s.ExpectClean(t)
}
