package e2e

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/pkg/cio"

	"jailshim/test/e2e/testbed"
)

// TestE2E_Client_GoneWhileOutputRuns_ContainerGoesOn: somebody's terminal or laptop
// dies while a container writes to it. The container must neither die of it nor
// stand still for ever; who attaches later sees output again.
func TestE2E_Client_GoneWhileOutputRuns_ContainerGoesOn(t *testing.T) {
	s := space(t)
	cmd := ctrRun(t, s, testbed.ImageName, "writer", "flood", "/progress")
	seen := testbed.NewOutput("ctr's stdout")
	cmd.Stdout = seen
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	seen.Await(t, "\n1000 ") // the thousandth line
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the killed client has succeeded")
	}

	container, err := s.Client.LoadContainer(s.Ctx, "writer")
	if err != nil {
		t.Fatal(err)
	}
	task, err := container.Task(s.Ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := s.Adopt(container, task)
	// It may write before its start has been answered.
	testbed.Until(t, "the container to be running", func() error {
		st, err := task.Status(s.Ctx)
		if err == nil && st.Status != containerd.Running {
			err = fmt.Errorf("it is %s", st.Status)
		}
		return err
	})
	execs := 0
	progress := func() int {
		t.Helper()
		execs++
		n, err := strconv.Atoi(strings.TrimSpace(c.RunExec(t, "x"+strconv.Itoa(execs), "cat", "/progress")))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	// Until nobody reads, it may stand still for some seconds.
	advances := func(what string) {
		t.Helper()
		before := progress()
		testbed.Until(t, what, func() error {
			// More than all buffers between it and the reader hold: 2 MB of lines.
			if now := progress(); now < before+20_000 {
				return errors.New("it got from " + strconv.Itoa(before) + " to " + strconv.Itoa(now))
			}
			return nil
		})
	}
	if testbed.Runtime == testbed.OurRuntime { // with containerd's shim it stands still for ever
		advances("the container to write on without a reader")
	}

	again := testbed.NewOutput("the attached client's stdout")
	_, err = container.Task(s.Ctx, cio.NewAttach(cio.WithStreams(nil, again, again)))
	if err != nil {
		t.Fatalf("attach: %v", err)
	}
	testbed.Until(t, "output after attaching again", func() error {
		if again.Len() < 1_000_000 {
			return errShort
		}
		return nil
	})
	c.ExpectStatus(t, containerd.Running)
}
