//go:build compat

package e2e

import (
	"os"
	"path/filepath"
	"testing"

	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/pkg/cio"
	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"

	"jailshim/test/e2e/testbed"
)

// olderDaemons are the releases besides the present one that the shim works with:
// each talks to shims in its own way.
var olderDaemons = []string{"2.0", "2.1", "2.2", "2.3"}

// TestE2E_Compat_OlderDaemon_WholeLifeAndRestart: a shim is upgraded before or after its
// daemon, and distributions keep a daemon for years. "make compat" builds the
// daemons and runs this.
func TestE2E_Compat_OlderDaemon_WholeLifeAndRestart(t *testing.T) {
	testbed.Require(t, testbed.OurShim) // containerd's works with daemons of its own age
	tools, err := testbed.ToolsDir()
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range olderDaemons {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(tools, "containerd-"+version)
			if _, err := os.Stat(filepath.Join(dir, "containerd")); err != nil {
				t.Fatalf("no daemon of that version: %v: run \"make compat\"", err)
			}
			s := testbed.NewDaemon(t, testbed.WithContainerd(dir)).NewSpace(t)
			v, err := s.Client.Version(s.Ctx)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("containerd says it is %s", v.Version)

			// A life with streams and an exit status.
			c := s.Run(t, testbed.Args("bytes", "1000000", "both"))
			if got := c.Exited(t); got != 0 {
				t.Errorf("exit status %d, stderr %q", got, c.Err)
			}
			expectPattern(t, "stdout", c.Out.Bytes(), 1_000_000, false)
			expectPattern(t, "stderr", c.Err.Bytes(), 1_000_000, false)
			c.Remove(t)

			// One that is refused, with its class.
			expectRefused(t, s, "/no/such/program", testbed.Args("/no/such/program"))

			// A terminal, an exec, metrics, signals.
			c = s.Run(t, testbed.Args("signal-trap"), testbed.Terminal())
			c.Out.Await(t, "ready\r\n")
			if got := c.RunExec(t, "x", "echo", "hello"); got != "hello\n" {
				t.Errorf("exec: got output %q", got)
			}
			if m, err := c.Task.Metrics(s.Ctx); err != nil {
				t.Errorf("metrics: %v", err)
			} else if memoryUsage(t, m) == 0 {
				t.Error("a running container uses no memory")
			}
			_, err = c.TryExec("y", testbed.Args("true"))
			if err != nil {
				t.Errorf("exec: %v", err)
			}
			_, err = c.TryExec("y", testbed.Args("true"))
			expectClass(t, "the same exec again", err, errdefs.ErrAlreadyExists)

			// A pod of two in one shim.
			pod := []*testbed.Container{
				s.Run(t, testbed.ID("sandbox"), testbed.Annotate(groupKeys()[0], "sandbox")),
				s.Run(t, testbed.ID("app"), testbed.Annotate(groupKeys()[0], "sandbox")),
			}
			if a, b := s.ShimPid(t, "sandbox"), s.ShimPid(t, "app"); a != b {
				t.Errorf("the pod's shims are processes %d and %d", a, b)
			}

			// The daemon dies; one of them meanwhile.
			const killed = 128 + uint32(unix.SIGKILL)
			outage(t, s, func() { killProcess(t, pod[1].Task.Pid()) })
			for _, old := range []*testbed.Container{c, pod[0], pod[1]} {
				container, err := s.Client.LoadContainer(s.Ctx, old.ID())
				if err != nil {
					t.Fatal(err)
				}
				task, err := container.Task(s.Ctx, cio.NewAttach(cio.WithStreams(nil, old.Out, old.Err)))
				if err != nil {
					t.Errorf("task of %s after the restart: %v", old.ID(), err)
					continue
				}
				old.Container, old.Task, old.Process.Process = container, task, task
				if old == pod[1] {
					status, err := task.Status(s.Ctx)
					if err != nil || status.Status != containerd.Stopped || status.ExitStatus != killed {
						t.Errorf("%s, which died meanwhile: status %+v (%v)", old.ID(), status, err)
					}
					s.Events.Await(t, testbed.TopicExit, old.ID(), "")
					continue
				}
				old.ExpectAlive(t)
			}

			// A shim dies.
			s.Events.Await(t, testbed.TopicExecAdded, c.ID(), "y")
			killProcess(t, uint32(s.ShimPid(t, c.ID())))
			s.Events.Await(t, testbed.TopicDelete, c.ID(), "")
			_, err = c.Container.Task(s.Ctx, nil)
			expectClass(t, "the task after its shim's death", err, errdefs.ErrNotFound)
		})
	}
}
