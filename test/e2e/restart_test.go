package e2e

import (
	"errors"
	"fmt"
	"testing"

	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/pkg/cio"
	"golang.org/x/sys/unix"

	"jailshim/test/e2e/testbed"
)

// killProcess kills a process behind everybody's back, and waits until it is gone
// and its parent has been told.
func killProcess(t *testing.T, pid uint32) {
	t.Helper()
	if err := unix.Kill(int(pid), unix.SIGKILL); err != nil {
		t.Fatalf("kill process %d: %v", pid, err)
	}
	testbed.Until(t, fmt.Sprintf("the end of process %d", pid), testbed.When(func() bool {
		return errors.Is(unix.Kill(int(pid), 0), unix.ESRCH)
	}))
}

// outage kills the daemon, does something while it is away, and starts it again.
// When it returns, the space records events again, from the first on that the
// shims could not deliver.
func outage(t *testing.T, s *testbed.Space, meanwhile func()) {
	t.Helper()
	if err := s.Daemon.Kill(); err != nil {
		t.Fatal(err)
	}
	meanwhile()
	if err := s.Daemon.Start(); err != nil {
		t.Fatal(err)
	}
	s.Reconnect(t)
	if err := s.Daemon.LetEventsIn(); err != nil {
		t.Fatal(err)
	}
}

// TestE2E_Restart_ContainerdKilledUnderTwenty_AllFoundNothingLost: an upgrade or
// crash of the daemon must not be noticed by what runs, and what ended meanwhile
// must be told to whoever waits for it.
func TestE2E_Restart_ContainerdKilledUnderTwenty_AllFoundNothingLost(t *testing.T) {
	t.Parallel()
	s := testbed.NewDaemon(t).NewSpace(t)
	const (
		total = 20
		pods  = 2 // the first containers, two in each
	)
	var all []*testbed.Container
	for i := range total {
		opts := []testbed.ProcessOption{testbed.Args("hold")}
		if i < 2*pods {
			opts = append(opts, testbed.Annotate(groupKeys()[0], fmt.Sprintf("pod%d", i/2)))
		}
		if i < 2*pods && i%2 == 0 {
			opts = append(opts, testbed.ID(fmt.Sprintf("pod%d", i/2)))
		}
		all = append(all, s.Run(t, opts...))
	}
	// Every container has an exec; every third dies in the outage, of every
	// third the exec.
	var execs []*testbed.Process
	for _, c := range all {
		p := c.Exec(t, "x", testbed.Args("signal-trap"))
		p.Start(t)
		execs = append(execs, p)
	}
	outage(t, s, func() {
		for i, c := range all {
			switch i % 3 {
			case 0:
				killProcess(t, c.Task.Pid())
			case 1:
				killProcess(t, execs[i].Pid())
			}
		}
	})

	const killed = 128 + uint32(unix.SIGKILL)
	// Containerd takes its own shim for abandoned, and removes it, when its
	// container has ended meanwhile.
	lost := func(i int) bool { return i%3 == 0 && testbed.Runtime != testbed.OurRuntime }
	for i, c := range all {
		if lost(i) {
			continue
		}
		container, err := s.Client.LoadContainer(s.Ctx, c.ID())
		if err != nil {
			t.Errorf("container %s: %v", c.ID(), err)
			continue
		}
		task, err := container.Task(s.Ctx, cio.NewAttach(cio.WithStreams(nil, c.Out, c.Err)))
		if err != nil {
			t.Errorf("task of %s: %v", c.ID(), err)
			continue
		}
		if task.Pid() != c.Task.Pid() {
			t.Errorf("%s had pid %d, and now %d", c.ID(), c.Task.Pid(), task.Pid())
		}
		c.Container, c.Task, c.Process.Process = container, task, task
		want, code := containerd.Running, uint32(0)
		if i%3 == 0 {
			want, code = containerd.Stopped, killed
		}
		status, err := task.Status(s.Ctx)
		if err != nil || status.Status != want || status.ExitStatus != code {
			t.Errorf("%s: status %+v (%v), want %s with exit status %d", c.ID(), status, err, want, code)
		}
		x, err := task.LoadProcess(s.Ctx, "x", nil)
		if err != nil {
			t.Errorf("exec in %s: %v", c.ID(), err)
			continue
		}
		wantExec := containerd.Running
		if i%3 < 2 {
			wantExec = containerd.Stopped
		}
		if status, err := x.Status(s.Ctx); err != nil || status.Status != wantExec {
			t.Errorf("exec in %s: status %+v (%v), want %s", c.ID(), status, err, wantExec)
		}
		if i%3 < 2 {
			if e := testbed.Receive(t, "the exit of the exec in "+c.ID(), mustWait(t, s, x)); e.Error() != nil || e.ExitCode() != killed {
				t.Errorf("exec in %s: waiting tells status %d (%v), want %d", c.ID(), e.ExitCode(), e.Error(), killed)
			}
		}
		if want == containerd.Running {
			c.ExpectAlive(t)
		} else if e := testbed.Receive(t, "the exit of "+c.ID(), mustWait(t, s, task)); e.Error() != nil || e.ExitCode() != killed {
			t.Errorf("%s: waiting tells status %d (%v), want %d", c.ID(), e.ExitCode(), e.Error(), killed)
		}
	}
	// What happened in the outage is told now, once, and each at its place: that
	// is checked for every test when it ends.
	for i, c := range all {
		if lost(i) {
			continue
		}
		if i%3 < 2 {
			s.Events.Await(t, testbed.TopicExit, c.ID(), "x")
		}
		if i%3 == 0 {
			if e := s.Events.Await(t, testbed.TopicExit, c.ID(), ""); e.Status != killed {
				t.Errorf("%s: the event tells exit status %d, want %d", c.ID(), e.Status, killed)
			}
		}
	}
}

// TestE2E_Restart_OutputGoesOn_AttachedAgain: "ctr task attach" after the restart.
func TestE2E_Restart_OutputGoesOn_AttachedAgain(t *testing.T) {
	t.Parallel()
	s := testbed.NewDaemon(t).NewSpace(t)
	c := s.Run(t, testbed.Args("signal-trap"))
	c.Out.Await(t, "ready\n")
	outage(t, s, func() {})
	container, err := s.Client.LoadContainer(s.Ctx, c.ID())
	if err != nil {
		t.Fatal(err)
	}
	task, err := container.Task(s.Ctx, cio.NewAttach(cio.WithStreams(nil, c.Out, c.Err)))
	if err != nil {
		t.Fatal(err)
	}
	if err := task.Kill(s.Ctx, unix.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	// The client's old streams and the new ones read the same fifo, into the
	// same place.
	c.Out.Await(t, fmt.Sprintf("signal %d\n", int(unix.SIGUSR1)))
}

// TestE2E_Restart_KilledDuringCreates_NothingLeaks: the daemon dies while it makes
// containers: each is there afterwards, or nothing of it is.
func TestE2E_Restart_KilledDuringCreates_NothingLeaks(t *testing.T) {
	t.Parallel()
	s := testbed.NewDaemon(t).NewSpace(t)
	// Containers that were made when nobody listened, or whose shim the
	// restarted daemon gave up, have no complete story.
	s.AnyEvents = true
	const total = 12
	var all []*testbed.Container
	for range total {
		all = append(all, s.New(t))
	}
	begun := make(chan struct{}, total)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, c := range all {
			begun <- struct{}{}
			_ = c.TryCreate() // fails for those that come too late
		}
	}()
	for range total / 3 {
		testbed.Receive(t, "a task's creation to begin", begun)
	}
	outage(t, s, func() { testbed.Closed(t, "the end of all creations", done) })
	for _, c := range all {
		container, err := s.Client.LoadContainer(s.Ctx, c.ID())
		if err != nil {
			t.Fatal(err)
		}
		task, err := container.Task(s.Ctx, nil)
		if err != nil {
			continue
		}
		if err := task.Start(s.Ctx); err != nil {
			t.Errorf("start %s, which was created in time: %v", c.ID(), err)
		}
	}
	// The space's end removes the tasks that there are; nothing else may be left.
}
