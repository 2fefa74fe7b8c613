package e2e

import (
	"testing"

	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/pkg/oci"

	"jailshim/test/e2e/testbed"
)

// TestE2E_SharedCgroup_NeighbourLives: a client may name a cgroup that another container
// has. Some OCI runtimes refuse that; the other container must not pay for it.
func TestE2E_SharedCgroup_NeighbourLives(t *testing.T) {
	s := space(t)
	shared := testbed.Spec(oci.WithCgroup("/" + s.Namespace + "-shared"))
	first := s.Run(t, shared)
	if err := s.New(t, shared, testbed.Args("/no/such/program")).TryCreate(); err == nil {
		t.Error("a container of a program that is not there was made")
	}
	second := s.New(t, shared)
	if err := second.TryCreate(); err == nil {
		second.Remove(t)
	}
	first.ExpectStatus(t, containerd.Running)
	first.ExpectAlive(t)
}
