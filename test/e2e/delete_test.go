package e2e

import (
	"context"
	"sync"
	"testing"
	"time"

	tasks "github.com/containerd/containerd/api/services/tasks/v1"
	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/errdefs"
	"github.com/containerd/errdefs/pkg/errgrpc"
	"golang.org/x/sys/unix"

	"jailshim/test/e2e/testbed"
)

// deleteTask asks for a task's deletion without the checks of the client library.
func deleteTask(s *testbed.Space, id string) error {
	_, err := s.Client.TaskService().Delete(s.Ctx, &tasks.DeleteTaskRequest{ContainerID: id})
	return errgrpc.ToNative(err)
}

// deleteExec does so for an exec.
func deleteExec(s *testbed.Space, id, exec string) error {
	_, err := s.Client.TaskService().DeleteProcess(s.Ctx, &tasks.DeleteProcessRequest{ContainerID: id, ExecID: exec})
	return errgrpc.ToNative(err)
}

// TestE2E_Delete_Running_FailedPrecondition: deleting must never be a way to kill.
func TestE2E_Delete_Running_FailedPrecondition(t *testing.T) {
	s := space(t)
	c := s.Run(t)
	p := c.Exec(t, "x", testbed.Args("hold"))
	p.Start(t)
	for what, err := range map[string]error{
		"delete a running container": deleteTask(s, c.ID()),
		"delete a running exec":      deleteExec(s, c.ID(), "x"),
	} {
		if err == nil {
			t.Error(what, "succeeded")
		}
		if testbed.Runtime == testbed.OurRuntime { // containerd's shim answers Unknown
			expectClass(t, what, err, errdefs.ErrFailedPrecondition)
		}
	}
	c.ExpectStatus(t, containerd.Running)
	p.ExpectStatus(t, containerd.Running)
}

// TestE2E_Delete_NeverStarted_Removed: a client that gives up between create and
// start just deletes.
func TestE2E_Delete_NeverStarted_Removed(t *testing.T) {
	s := space(t)
	c := s.Run(t)
	p := c.Exec(t, "x")
	status, err := p.Delete(s.Ctx)
	if err != nil {
		t.Errorf("delete an exec that was not started: %v", err)
	} else if status.ExitCode() != 0 {
		t.Errorf("an exec that was not started has exit status %d", status.ExitCode())
	}
	if got := c.RunExec(t, "x", "echo", "again"); got != "again\n" {
		t.Errorf("the id after its deletion: got output %q", got)
	}
	created := s.New(t).Create(t)
	if err := deleteTask(s, created.ID()); err != nil {
		t.Errorf("delete a container that was not started: %v", err)
	}
	_, err = created.Container.Task(s.Ctx, nil)
	expectClass(t, "the task after its deletion", err, errdefs.ErrNotFound)
	created.Forget(t)
}

// TestE2E_Delete_Twice_NotFound: retries after a lost answer, and two clients that
// clean up at the same time, one after the other and at once.
func TestE2E_Delete_Twice_NotFound(t *testing.T) {
	s := space(t)
	c := s.Run(t, testbed.Args("true"))
	c.Exited(t)
	const clients = 8
	errs := make([]error, clients)
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() { errs[i] = deleteTask(s, c.ID()) })
	}
	wg.Wait()
	deleted := 0
	for _, err := range errs {
		if err == nil {
			deleted++
			continue
		}
		expectClass(t, "one of several deletions at once", err, errdefs.ErrNotFound, errdefs.ErrFailedPrecondition)
	}
	if deleted == 0 {
		t.Errorf("none of %d deletions at once succeeded: %v", clients, errs)
	}
	expectClass(t, "another deletion", deleteTask(s, c.ID()), errdefs.ErrNotFound)
}

// TestE2E_Delete_GrandchildHoldsOutput_ReturnsSoon: "kubectl exec … &" leaves a
// daemon with the exec's stdout; the exec's deletion must neither wait for it
// nor kill it.
func TestE2E_Delete_GrandchildHoldsOutput_ReturnsSoon(t *testing.T) {
	s := space(t)
	c := s.Run(t)
	p := c.Exec(t, "x", testbed.Args("spawn-grandchild", "-ignore-term", "inf"))
	p.Start(t)
	p.Out.Await(t, "ready\n")
	if code := p.ExitStatus(t); code != 0 {
		t.Errorf("exit status %d", code)
	}
	// Half of the 10 s that a shim may wait for output on top.
	ctx, cancel := context.WithTimeout(s.Ctx, 15*time.Second)
	defer cancel()
	if _, err := s.Client.TaskService().DeleteProcess(ctx, &tasks.DeleteProcessRequest{ContainerID: c.ID(), ExecID: "x"}); err != nil {
		t.Errorf("delete the exec: %v", err)
	}
	p.Exited(t) // its streams have ended for the client
	pids, err := c.Task.Pids(s.Ctx)
	if err != nil {
		t.Fatal(err)
	}
	if len(pids) != 2 {
		t.Errorf("processes %v, want the container's init and the grandchild", pids)
	}
	c.Signal(t, unix.SIGKILL)
	c.Exited(t)
}
