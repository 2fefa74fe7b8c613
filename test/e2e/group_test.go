package e2e

import (
	"os"
	"testing"

	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"

	"jailshim/test/e2e/testbed"
)

// TestE2E_Namespaces_SameID_Independent: tenants don't know of each other's names.
func TestE2E_Namespaces_SameID_Independent(t *testing.T) {
	a := space(t)
	b := a.Daemon.NewSpace(t)
	inA := a.Run(t, testbed.ID("web"), testbed.Args("signal-trap"))
	inB := b.Run(t, testbed.ID("web"), testbed.Args("signal-trap"))
	if pa, pb := a.ShimPid(t, "web"), b.ShimPid(t, "web"); pa == pb {
		t.Errorf("one shim, process %d, for two namespaces", pa)
	}
	inA.RunExec(t, "x", "write", "/mine", "a's")
	inB.RunExec(t, "x", "write", "/mine", "b's")
	if got := inA.RunExec(t, "y", "cat", "/mine"); got != "a's\n" {
		t.Errorf("a finds %q in its file", got)
	}
	inA.Signal(t, unix.SIGKILL)
	inA.Exited(t)
	inA.Remove(t)
	a.ExpectClean(t)
	inB.ExpectStatus(t, containerd.Running)
	if got := inB.RunExec(t, "y", "cat", "/mine"); got != "b's\n" {
		t.Errorf("b finds %q in its file", got)
	}
}

// groupKeys are the annotations by which clients say that containers belong
// together.
func groupKeys() []string {
	keys := []string{"io.containerd.runc.v2.group", "io.kubernetes.cri.sandbox-id"}
	if testbed.Runtime == testbed.OurRuntime {
		keys = append(keys, "io.containerd.jail.v2.group")
	}
	return keys
}

// alive tells whether a process exists.
func alive(pid int) bool { return unix.Kill(pid, 0) == nil }

// TestE2E_Group_PodOfThree_OneShimUntilTheLastIsGone: a pod costs one shim; its
// containers come and go one by one, the one that the shim was started for too.
func TestE2E_Group_PodOfThree_OneShimUntilTheLastIsGone(t *testing.T) {
	for _, key := range groupKeys() {
		t.Run(key, func(t *testing.T) {
			s := space(t)
			var pod []*testbed.Container
			for _, id := range []string{"sandbox", "app", "sidecar"} {
				pod = append(pod, s.Run(t, testbed.ID(id), testbed.Annotate(key, "sandbox")))
			}
			other := s.Run(t)
			shim := s.ShimPid(t, "sandbox")
			for _, c := range pod[1:] {
				if got := s.ShimPid(t, c.ID()); got != shim {
					t.Errorf("the shim of %s is process %d, of the sandbox %d", c.ID(), got, shim)
				}
			}
			if got := s.ShimPid(t, other.ID()); got == shim {
				t.Errorf("a container of no group is in the pod's shim, process %d", got)
			}
			for i, c := range pod {
				for _, rest := range pod[i:] {
					if got := rest.RunExec(t, "x", "echo", rest.ID()); got != rest.ID()+"\n" {
						t.Errorf("exec in %s after %d are gone: got output %q", rest.ID(), i, got)
					}
				}
				c.Remove(t)
				_, err := os.Stat(s.Bundle(c.ID()))
				if !os.IsNotExist(err) {
					t.Errorf("the bundle of the removed %s: %v", c.ID(), err)
				}
			}
			testbed.Until(t, "the end of the pod's shim", testbed.When(func() bool { return !alive(shim) }))
			other.ExpectStatus(t, containerd.Running)
		})
	}
}

// TestE2E_Group_MemberRefused_OthersUndisturbed: one bad container of a pod.
func TestE2E_Group_MemberRefused_OthersUndisturbed(t *testing.T) {
	s := space(t)
	key := groupKeys()[0]
	first := s.Run(t, testbed.ID("sandbox"), testbed.Annotate(key, "sandbox"))
	shim := s.ShimPid(t, "sandbox")
	bad := s.New(t, testbed.ID("bad"), testbed.Annotate(key, "sandbox"), testbed.Args("/no/such/program"))
	expectNames(t, "create", bad.TryCreate(), "/no/such/program")
	_, err := bad.Container.Task(s.Ctx, nil)
	expectClass(t, "the task of the refused member", err, errdefs.ErrNotFound)
	first.ExpectAlive(t)
	good := s.Run(t, testbed.ID("good"), testbed.Annotate(key, "sandbox"))
	if got := s.ShimPid(t, good.ID()); got != shim {
		t.Errorf("the next member's shim is process %d, the pod's %d", got, shim)
	}
}
