package e2e

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"jailshim/test/e2e/testbed"
)

// TestE2E_Exec_ManyAtOnce_EachItsOwn: health checks of all kinds run at the same
// moment; none may get another's output or status, or wait for another.
func TestE2E_Exec_ManyAtOnce_EachItsOwn(t *testing.T) {
	s := space(t)
	c := s.Run(t)
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			id := fmt.Sprintf("x%d", i)
			p, err := c.TryExec(id, testbed.Args("echo", id))
			if err != nil {
				t.Errorf("%s: %v", id, err)
				return
			}
			if err := p.Process.Start(s.Ctx); err != nil {
				t.Errorf("start %s: %v", id, err)
				return
			}
			exit := <-mustWait(t, s, p.Process)
			p.IO().Wait()
			if exit.Error() != nil || exit.ExitCode() != 0 || p.Out.String() != id+"\n" {
				t.Errorf("%s: exit status %d (%v), output %q", id, exit.ExitCode(), exit.Error(), p.Out)
			}
			if _, err := p.Delete(s.Ctx); err != nil {
				t.Errorf("delete %s: %v", id, err)
			}
		})
	}
	wg.Wait()
}

// mustWait waits for a process from a goroutine that may not end the test.
func mustWait(t *testing.T, s *testbed.Space, p containerd.Process) <-chan containerd.ExitStatus {
	t.Helper()
	c, err := p.Wait(s.Ctx)
	if err != nil {
		t.Errorf("wait for %s: %v", p.ID(), err)
	}
	return c
}

// TestE2E_Exec_SameIDTwice_AlreadyExists: a client that chose an id in use would
// otherwise get another's process to signal and delete.
func TestE2E_Exec_SameIDTwice_AlreadyExists(t *testing.T) {
	s := space(t)
	c := s.Run(t)
	p := c.Exec(t, "x", testbed.Args("hold"))
	_, err := c.TryExec("x")
	expectClass(t, "an id that is added", err, errdefs.ErrAlreadyExists)
	p.Start(t)
	_, err = c.TryExec("x")
	expectClass(t, "an id that runs", err, errdefs.ErrAlreadyExists)
	p.Signal(t, unix.SIGTERM)
	p.Exited(t)
	_, err = c.TryExec("x")
	expectClass(t, "an id that has exited", err, errdefs.ErrAlreadyExists)
	p.DeleteProcess(t)
	if got := c.RunExec(t, "x", "echo", "again"); got != "again\n" {
		t.Errorf("the id after its deletion: got output %q", got)
	}
	// Other containers' execs are no concern of this one.
	other := s.Run(t)
	first := c.Exec(t, "y", testbed.Args("hold"))
	second := other.Exec(t, "y", testbed.Args("hold"))
	first.Start(t)
	second.Start(t)
}

// TestE2E_Exec_AfterExit_FailedPrecondition: a client must learn that it comes
// too late, and not that something is broken.
func TestE2E_Exec_AfterExit_FailedPrecondition(t *testing.T) {
	s := space(t)
	c := s.Run(t, testbed.Args("true"))
	c.Exited(t)
	_, err := c.TryExec("x")
	if err == nil {
		t.Error("an exec was added to a stopped container")
	}
	if testbed.Runtime == testbed.OurRuntime { // containerd's shim answers Unknown
		expectClass(t, "exec in a stopped container", err, errdefs.ErrFailedPrecondition)
	}
	c.Remove(t)
	_, err = c.TryExec("x")
	if err == nil {
		t.Error("an exec was added to a deleted container")
	}
}

// TestE2E_Exec_OnCreated_Runs: a pod's hooks prepare a container before its
// program starts.
func TestE2E_Exec_OnCreated_Runs(t *testing.T) {
	s := space(t)
	c := s.New(t, testbed.Args("cat", "/tmp/prepared")).Create(t)
	c.RunExec(t, "x", "write", "/tmp/prepared", "before start")
	c.ExpectStatus(t, containerd.Created)
	c.Start(t)
	if code := c.Exited(t); code != 0 || c.Out.String() != "before start\n" {
		t.Errorf("exit status %d, output %q, stderr %q", code, c.Out, c.Err)
	}
}

// TestE2E_Exec_MissingBinary_StartFailsAndIDIsFree: a typo in a command must not
// leave a process that can be neither started nor deleted, nor a waiter that
// waits for ever.
func TestE2E_Exec_MissingBinary_StartFailsAndIDIsFree(t *testing.T) {
	s := space(t)
	c := s.Run(t)
	p := c.Exec(t, "x", testbed.Args("/no/such/program"))
	err := p.Process.Start(s.Ctx)
	expectNames(t, "start", err, "/no/such/program")
	testbed.Receive(t, "the end of waiting for an exec that can't start", mustWait(t, s, p.Process))
	if _, err := p.Delete(s.Ctx); err != nil {
		t.Errorf("delete the exec that did not start: %v", err)
	}
	if got := c.RunExec(t, "x", "echo", "again"); got != "again\n" {
		t.Errorf("the id after its deletion: got output %q", got)
	}
	c.ExpectStatus(t, containerd.Running)
}

// TestE2E_Exec_ProcessInSpec_Obeyed: "exec --user --cwd --env".
func TestE2E_Exec_ProcessInSpec_Obeyed(t *testing.T) {
	s := space(t)
	c := s.Run(t)
	for i, tc := range []struct {
		args   []string
		change func(*specs.Process)
		want   string // in the output
	}{
		{[]string{"pwd"}, func(p *specs.Process) { p.Cwd = "/tmp" }, "/tmp\n"},
		{[]string{"env"}, func(p *specs.Process) { p.Env = append(p.Env, "E2E_VALUE=a b=c") }, "\nE2E_VALUE=a b=c\n"},
		{[]string{"env"}, func(p *specs.Process) { p.User = specs.User{UID: 65534, GID: 65534} }, "\nHOME=/home\n"},
		{[]string{"id"}, func(p *specs.Process) { p.User = specs.User{UID: 65534, GID: 65533, AdditionalGids: []uint32{7}} }, "uid=65534 gid=65533 groups=["},
		{[]string{"echo", "two  spaces", "$HOME", "\u00e9\n"}, func(*specs.Process) {}, "two  spaces $HOME \u00e9\n"},
		{[]string{"echo", strings.Repeat("long ", 20_000)}, func(*specs.Process) {}, strings.Repeat("long ", 20_000)},
	} {
		p := c.Exec(t, fmt.Sprintf("x%d", i), testbed.Args(tc.args...), testbed.WithProcess(tc.change))
		p.Start(t)
		if code := p.Exited(t); code != 0 || !strings.Contains(p.Out.String(), tc.want) {
			t.Errorf("%.60q: exit status %d, output %.100q, stderr %q, want output with %.100q", tc.args, code, p.Out, p.Err, tc.want)
		}
	}
}

// TestE2E_Exec_States_AsDocumented: clients show and decide by the state of each
// process.
func TestE2E_Exec_States_AsDocumented(t *testing.T) {
	s := space(t)
	c := s.Run(t)
	p := c.Exec(t, "x", testbed.Args("sleep", "inf"))
	p.ExpectStatus(t, containerd.Created)
	p.Start(t)
	p.ExpectStatus(t, containerd.Running)
	p.Signal(t, unix.SIGKILL)
	p.Exited(t)
	p.ExpectStatus(t, containerd.Stopped)
	p.DeleteProcess(t)
	_, err := p.Status(s.Ctx)
	expectClass(t, "status of a deleted exec", err, errdefs.ErrNotFound)
}

// TestE2E_Exec_StartedTwice_FailedPrecondition: a client that repeats a start that
// timed out must not start a second process, nor lose the first one's exit.
// Containerd's shim answers Unknown, and then reports two exits.
func TestE2E_Exec_StartedTwice_FailedPrecondition(t *testing.T) {
	testbed.Require(t, testbed.OurShim)
	s := space(t)
	p := s.Run(t).Exec(t, "x", testbed.Args("sleep", "inf"))
	p.Start(t)
	expectClass(t, "start a running exec", p.Process.Start(s.Ctx), errdefs.ErrFailedPrecondition)
	p.ExpectStatus(t, containerd.Running)
	p.Signal(t, unix.SIGKILL)
	p.Exited(t)
	expectClass(t, "start a stopped exec", p.Process.Start(s.Ctx), errdefs.ErrFailedPrecondition)
}

// TestE2E_Exec_RunningWhenContainerDies_ExitsFirst: clients that wait for the
// container's exit take it for the last word: no exec may outlive it or be
// forgotten.
func TestE2E_Exec_RunningWhenContainerDies_ExitsFirst(t *testing.T) {
	s := space(t)
	c := s.Run(t)
	var execs []*testbed.Process
	for i := range 5 {
		p := c.Exec(t, fmt.Sprintf("x%d", i), testbed.Args("signal-trap"))
		p.Start(t)
		execs = append(execs, p)
	}
	c.Signal(t, unix.SIGKILL)
	for _, p := range execs {
		if got := p.Exited(t); got != 128+uint32(unix.SIGKILL) {
			t.Errorf("%s: exit status %d", p.ID(), got)
		}
	}
	c.Exited(t)
	// The order is checked for every test when it ends.
	s.Events.Await(t, testbed.TopicExit, c.ID(), "")
	for _, p := range execs {
		s.Events.Await(t, testbed.TopicExit, c.ID(), p.ID())
	}
}
