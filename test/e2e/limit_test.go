package e2e

import (
	"testing"

	"github.com/containerd/containerd/v2/pkg/oci"

	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"jailshim/test/daemon"
	"jailshim/test/e2e/testbed"
)

const mebibyte = 1 << 20

// TestE2E_Limits_OutOfMemory_Reported: an operator who sees only "exit status 137"
// looks for somebody who killed it; the event says that it was the limit.
func TestE2E_Limits_OutOfMemory_Reported(t *testing.T) {
	testbed.Require(t, testbed.MemoryAccounting)
	s := space(t)
	c := s.Run(t, testbed.Args("alloc", "200000000"), testbed.Spec(oci.WithMemoryLimit(40*mebibyte)))
	if got := c.Exited(t); got != 128+uint32(unix.SIGKILL) {
		t.Errorf("exit status %d, output %q, stderr %q", got, c.Out, c.Err)
	}
	s.Events.Await(t, testbed.TopicOOM, c.ID(), "")
}

// TestE2E_Limits_ExecOutOfMemory_Reported: it is the container's limit, whichever of
// its processes hits it.
func TestE2E_Limits_ExecOutOfMemory_Reported(t *testing.T) {
	testbed.Require(t, testbed.MemoryAccounting)
	s := space(t)
	c := s.Run(t, testbed.Spec(oci.WithMemoryLimit(40*mebibyte)))
	p := c.Exec(t, "x", testbed.Args("alloc", "200000000"))
	p.Start(t)
	if got := p.Exited(t); got != 128+uint32(unix.SIGKILL) {
		t.Errorf("exit status %d, output %q, stderr %q", got, p.Out, p.Err)
	}
	s.Events.Await(t, testbed.TopicOOM, c.ID(), "")
	if testbed.LimitKillsTheLargest {
		c.ExpectStatus(t, containerd.Running)
	}
	m, err := c.Task.Metrics(s.Ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, kills := memoryMetrics(t, m); kills == 0 {
		t.Error("the metrics tell of no kill")
	}
}

// TestE2E_Limits_Update_InEffect: vertical scaling: the new limit holds for what
// runs already.
func TestE2E_Limits_Update_InEffect(t *testing.T) {
	testbed.Require(t, testbed.MemoryAccounting)
	s := space(t)
	c := s.Run(t, testbed.Spec(oci.WithMemoryLimit(64*mebibyte)))
	expect := func(want int64) {
		t.Helper()
		if got, err := daemon.MemoryLimit(s.Namespace, c.ID()); err != nil || got != want {
			t.Errorf("the memory limit is %d (%v), want %d", got, err, want)
		}
	}
	expect(64 * mebibyte)
	for _, want := range []int64{48 * mebibyte, 96 * mebibyte} {
		err := c.Task.Update(s.Ctx, containerd.WithResources(&specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: &want}}))
		if err != nil {
			t.Fatalf("update the memory limit to %d: %v", want, err)
		}
		expect(want)
	}
	c.Remove(t)
	limit := int64(mebibyte)
	err := c.Task.Update(s.Ctx, containerd.WithResources(&specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: &limit}}))
	expectClass(t, "update of a deleted container", err, errdefs.ErrNotFound)
}

// TestE2E_Metrics_EachState_ReportedUntilDeleted: CRI asks for the metrics of
// created containers, and of stopped ones to see whether memory was why.
func TestE2E_Metrics_EachState_ReportedUntilDeleted(t *testing.T) {
	testbed.Require(t, testbed.MemoryMetrics)
	s := space(t)
	c := s.New(t, testbed.Args("alloc", "30000000")).Create(t)
	used := func(state containerd.ProcessStatus) uint64 {
		t.Helper()
		c.ExpectStatus(t, state)
		m, err := c.Task.Metrics(s.Ctx)
		if err != nil {
			t.Fatalf("metrics of a %s container: %v", state, err)
		}
		if m.ID != c.ID() {
			t.Errorf("metrics of %q, want of %q", m.ID, c.ID())
		}
		return memoryUsage(t, m)
	}
	used(containerd.Created)
	c.Start(t)
	c.Out.Await(t, "allocated")
	if got := used(containerd.Running); got < 30_000_000 {
		t.Errorf("a program that uses 30 MB is reported with %d bytes", got)
	}
	c.Signal(t, unix.SIGKILL)
	c.Exited(t)
	used(containerd.Stopped)
	c.Remove(t)
	_, err := c.Task.Metrics(s.Ctx)
	if err == nil {
		t.Error("a deleted container has metrics")
	}
}
