package e2e

import (
	"testing"

	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"

	"jailshim/test/e2e/testbed"
)

// killShim kills the shim of a container, or of all containers of one group. It
// waits for an event of each before: a call's answer may come before its event,
// and what a dead shim had not sent yet nobody tells.
func killShim(t *testing.T, s *testbed.Space, told string, of ...*testbed.Container) {
	t.Helper()
	for _, c := range of {
		s.Events.Await(t, told, c.ID(), "")
	}
	killProcess(t, uint32(s.ShimPid(t, of[0].ID())))
}

// TestE2E_ShimDeath_Single_NothingLeft: a shim that the kernel kills for memory, or
// that crashes, takes its container down in an orderly way: the exit is
// reported, and not even a mount stays.
func TestE2E_ShimDeath_Single_NothingLeft(t *testing.T) {
	for _, state := range []containerd.ProcessStatus{containerd.Created, containerd.Running, containerd.Paused, containerd.Stopped} {
		t.Run(string(state), func(t *testing.T) {
			s := space(t)
			c := s.New(t, testbed.Args("signal-trap")).Create(t)
			told := testbed.TopicCreate // the last event before the shim's death
			if state != containerd.Created {
				c.Start(t)
				told = testbed.TopicStart
			}
			switch state {
			case containerd.Running:
				p := c.Exec(t, "x", testbed.Args("spawn-grandchild", "-ignore-term", "inf"))
				p.Start(t)
				p.Out.Await(t, "ready\n") // the grandchild's
				p.ExitStatus(t)
				s.Events.Await(t, testbed.TopicExit, c.ID(), "x")
			case containerd.Paused:
				testbed.Require(t, testbed.OurShim) // containerd's leaves the frozen process
				if err := c.Task.Pause(s.Ctx); err != nil {
					t.Fatal(err)
				}
				told = testbed.TopicPaused
			case containerd.Stopped:
				c.Signal(t, unix.SIGKILL)
				c.Exited(t)
				// Containerd tells an exit of whatever its dead shim had,
				// also if that had told it already.
				s.AnyEvents = true
			}
			killShim(t, s, told, c)
			s.Events.Await(t, testbed.TopicDelete, c.ID(), "") // containerd's own
			s.ExpectClean(t)
			if state != containerd.Stopped {
				e := s.Events.Await(t, testbed.TopicExit, c.ID(), "")
				if e.Status != 128+uint32(unix.SIGKILL) {
					t.Errorf("the event tells exit status %d", e.Status)
				}
				testbed.Closed(t, "the end of the client's waiting", c.Ended())
			}
			_, err := c.Container.Task(s.Ctx, nil)
			expectClass(t, "the task after its shim's death", err, errdefs.ErrNotFound)
			c.Forget(t)
			again := s.Run(t, testbed.ID(c.ID()), testbed.Args("exit", "7"))
			if got := again.Exited(t); got != 7 {
				t.Errorf("another container of the same id: exit status %d, want 7", got)
			}
		})
	}
}

// TestE2E_ShimDeath_Group_NothingLeftOfAny: the shim of a pod takes the whole pod
// along, whichever container it was started for.
func TestE2E_ShimDeath_Group_NothingLeftOfAny(t *testing.T) {
	s := space(t)
	var pod []*testbed.Container
	for _, id := range []string{"sandbox", "app", "sidecar"} {
		pod = append(pod, s.Run(t, testbed.ID(id), testbed.Args("signal-trap"), testbed.Annotate(groupKeys()[0], "sandbox")))
	}
	other := s.Run(t)
	killShim(t, s, testbed.TopicStart, pod...)
	for _, c := range pod {
		s.Events.Await(t, testbed.TopicExit, c.ID(), "")
		s.Events.Await(t, testbed.TopicDelete, c.ID(), "")
		c.Forgotten(t)
		c.Forget(t)
	}
	other.ExpectAlive(t)
	other.Remove(t)
	s.ExpectClean(t)
}

// TestE2E_ShimDeath_LeaderMadeAnew_OthersLive: the container that a pod's shim was
// started for is replaced by one of no pod, and the shim of that dies.
func TestE2E_ShimDeath_LeaderMadeAnew_OthersLive(t *testing.T) {
	s := space(t)
	s.AnyEvents = true // two containers of one id, one after the other
	first := s.Run(t, testbed.ID("app"), testbed.Annotate(groupKeys()[0], "pod"))
	other := s.Run(t, testbed.ID("sidecar"), testbed.Annotate(groupKeys()[0], "pod"))
	first.Remove(t)
	anew := s.Run(t, testbed.ID("app"))
	if pa, po := s.ShimPid(t, "app"), s.ShimPid(t, "sidecar"); pa == po {
		t.Fatalf("one shim, process %d, for a pod and a container of none", pa)
	}
	killShim(t, s, testbed.TopicStart, anew)
	anew.Forgotten(t)
	anew.Forget(t)
	other.ExpectAlive(t)
	other.Remove(t)
	s.ExpectClean(t)
}

// TestE2E_ShimDeath_WhileContainerdIsAway_NothingLeft: both die, as when a machine
// runs out of memory; the restarted daemon finds a bundle without a shim.
func TestE2E_ShimDeath_WhileContainerdIsAway_NothingLeft(t *testing.T) {
	t.Parallel()
	s := testbed.NewDaemon(t).NewSpace(t)
	s.AnyEvents = true // nobody was there to hear, or to tell
	c := s.Run(t, testbed.Args("signal-trap"))
	var pod []*testbed.Container
	for _, id := range []string{"sandbox", "app"} {
		pod = append(pod, s.Run(t, testbed.ID(id), testbed.Args("signal-trap"), testbed.Annotate(groupKeys()[0], "sandbox")))
	}
	shims := []int{s.ShimPid(t, c.ID()), s.ShimPid(t, pod[0].ID())}
	outage(t, s, func() {
		for _, shim := range shims {
			killProcess(t, uint32(shim))
		}
	})
	s.ExpectClean(t)
	tasks, err := s.Client.Containers(s.Ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, container := range tasks {
		_, err := container.Task(s.Ctx, nil)
		expectClass(t, "the task of "+container.ID(), err, errdefs.ErrNotFound)
	}
}
