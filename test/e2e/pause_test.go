package e2e

import (
	"errors"
	"path/filepath"
	"testing"

	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/pkg/cio"
	"github.com/containerd/errdefs"

	"jailshim/test/e2e/testbed"
)

// TestE2E_Pause_ThenResume_StopsAndGoesOn: "ctr task pause" before a snapshot:
// nothing may be written until resume.
func TestE2E_Pause_ThenResume_StopsAndGoesOn(t *testing.T) {
	s := space(t)
	c := s.Run(t, testbed.Args("flood", "/shared/progress"), testbed.IO(cio.NullIO),
		testbed.Spec(testbed.WithHostDir(s.Dir, "/shared")))
	progress := func() string { return string(readFile(t, filepath.Join(s.Dir, "progress"))) }
	moves := func(since string) func() error {
		return func() error {
			if progress() == since {
				return errors.New("it stands still")
			}
			return nil
		}
	}
	// progress fails when the file is not there yet.
	c.RunExec(t, "x", "true")
	testbed.Until(t, "the program to write", moves(""))

	if err := c.Task.Pause(s.Ctx); err != nil {
		t.Fatal(err)
	}
	c.ExpectStatus(t, containerd.Paused)
	s.Events.Await(t, testbed.TopicPaused, c.ID(), "")
	before := progress()
	s.Run(t, testbed.Args("true")).Exited(t) // takes the time of many writes
	if after := progress(); after != before {
		t.Errorf("a paused program got from %s to %s", before, after)
	}

	if err := c.Task.Resume(s.Ctx); err != nil {
		t.Fatal(err)
	}
	c.ExpectStatus(t, containerd.Running)
	s.Events.Await(t, testbed.TopicResumed, c.ID(), "")
	testbed.Until(t, "the program to write again", moves(before))
}

// TestE2E_Pause_WrongState_FailedPrecondition: and nothing changes.
func TestE2E_Pause_WrongState_FailedPrecondition(t *testing.T) {
	testbed.Require(t, testbed.OurShim) // containerd's shim answers Unknown
	s := space(t)
	c := s.New(t).Create(t)
	expectClass(t, "pause a created container", c.Task.Pause(s.Ctx), errdefs.ErrFailedPrecondition)
	c.Start(t)
	expectClass(t, "resume a running container", c.Task.Resume(s.Ctx), errdefs.ErrFailedPrecondition)
	if err := c.Task.Pause(s.Ctx); err != nil {
		t.Fatal(err)
	}
	expectClass(t, "pause a paused container", c.Task.Pause(s.Ctx), errdefs.ErrFailedPrecondition)
	p, err := c.TryExec("x")
	if err == nil {
		err = p.Process.Start(s.Ctx)
	}
	expectClass(t, "exec in a paused container", err, errdefs.ErrFailedPrecondition)
	c.ExpectStatus(t, containerd.Paused)
	if err := c.Task.Resume(s.Ctx); err != nil {
		t.Fatal(err)
	}
}

// TestE2E_Pause_ThenRemove_Gone: "rm -f" of a paused container.
func TestE2E_Pause_ThenRemove_Gone(t *testing.T) {
	testbed.Require(t, testbed.OurShim) // with containerd's shim the kill waits for resume
	s := space(t)
	c := s.Run(t)
	if err := c.Task.Pause(s.Ctx); err != nil {
		t.Fatal(err)
	}
	c.Remove(t)
	s.ExpectClean(t)
}
