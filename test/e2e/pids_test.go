package e2e

import (
	"maps"
	"testing"

	tasks "github.com/containerd/containerd/api/services/tasks/v1"
	"github.com/containerd/containerd/api/types/runc/options"
	"github.com/containerd/errdefs"
	"github.com/containerd/typeurl/v2"

	"jailshim/test/e2e/testbed"
)

// TestE2E_Pids_EachProcess_WithItsExec: "ctr task ps", and containerd itself, which
// gives up a shim that lists none.
func TestE2E_Pids_EachProcess_WithItsExec(t *testing.T) {
	s := space(t)
	c := s.New(t).Create(t)
	list := func() map[uint32]string {
		t.Helper()
		infos, err := c.Task.Pids(s.Ctx)
		if err != nil {
			t.Fatal(err)
		}
		all := map[uint32]string{}
		for _, info := range infos {
			all[info.Pid] = ""
			if info.Info == nil {
				continue
			}
			v, err := typeurl.UnmarshalAny(info.Info)
			if err != nil {
				t.Fatal(err)
			}
			details, ok := v.(*options.ProcessDetails)
			if !ok {
				t.Fatalf("details of a process are a %T", v)
			}
			all[info.Pid] = details.ExecID
		}
		return all
	}
	expect := func(want map[uint32]string) {
		t.Helper()
		if got := list(); !maps.Equal(got, want) {
			t.Errorf("processes %v, want %v", got, want)
		}
	}
	want := map[uint32]string{c.Task.Pid(): ""}
	expect(want)
	c.Start(t)
	expect(want)
	for _, id := range []string{"x", "y"} {
		p := c.Exec(t, id, testbed.Args("hold"))
		p.Start(t)
		want[p.Pid()] = id
	}
	expect(want)
}

// TestE2E_Checkpoint_NotImplemented: a client must learn that there is no such
// thing here, before it stops a service to move it.
func TestE2E_Checkpoint_NotImplemented(t *testing.T) {
	testbed.Require(t, testbed.OurShim) // containerd's has it, with the right tools
	s := space(t)
	c := s.Run(t)
	_, err := s.Client.TaskService().Checkpoint(s.Ctx, &tasks.CheckpointTaskRequest{ContainerID: c.ID()})
	expectClass(t, "checkpoint", err, errdefs.ErrNotImplemented)
	c.ExpectAlive(t)
}
