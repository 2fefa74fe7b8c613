package e2e

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	containerd "github.com/containerd/containerd/v2/client"
	"golang.org/x/sys/unix"

	"jailshim/test/e2e/testbed"
)

// TestE2E_Exit_Status_Reported: a client that gets another status than the
// program's takes failures for success or the other way round.
func TestE2E_Exit_Status_Reported(t *testing.T) {
	s := space(t)
	for _, want := range []uint32{0, 1, 42, 255} {
		before := time.Now()
		c := s.Run(t, testbed.Args("exit", strconv.Itoa(int(want))))
		if got := c.Exited(t); got != want {
			t.Errorf("exit %d: got status %d", want, got)
		}
		status, err := c.Status(s.Ctx)
		if err != nil {
			t.Fatal(err)
		}
		if status.Status != containerd.Stopped || status.ExitStatus != want {
			t.Errorf("exit %d: state tells %+v", want, status)
		}
		if status.ExitTime.Before(before) || status.ExitTime.After(time.Now()) {
			t.Errorf("exit %d: happened between %v and %v, reported for %v", want, before, time.Now(), status.ExitTime)
		}
		if got := c.Remove(t); got != want {
			t.Errorf("exit %d: deletion tells status %d", want, got)
		}
		exit := s.Events.Await(t, testbed.TopicExit, c.ID(), "")
		if exit.Status != want || exit.Pid != c.Pid() {
			t.Errorf("exit %d of pid %d: event tells %v", want, c.Pid(), exit)
		}
	}
}

// TestE2E_Exit_ExecStatus_Reported: health checks and "kubectl exec" decide by
// the status of an exec.
func TestE2E_Exit_ExecStatus_Reported(t *testing.T) {
	s := space(t)
	c := s.Run(t)
	for _, want := range []uint32{0, 3, 255} {
		id := fmt.Sprintf("x%d", want)
		p := c.Exec(t, id, testbed.Args("exit", strconv.Itoa(int(want))))
		p.Start(t)
		if got := p.Exited(t); got != want {
			t.Errorf("exec of exit %d: got status %d", want, got)
		}
		if got := p.DeleteProcess(t); got != want {
			t.Errorf("exec of exit %d: deletion tells status %d", want, got)
		}
		if exit := s.Events.Await(t, testbed.TopicExit, c.ID(), id); exit.Status != want {
			t.Errorf("exec of exit %d: event tells %v", want, exit)
		}
	}
}

// TestE2E_Exit_DeathBySignal_128AndTheNumber: a supervisor tells a crash from an
// ordinary failure by this.
func TestE2E_Exit_DeathBySignal_128AndTheNumber(t *testing.T) {
	s := space(t)
	c := s.Run(t)
	for _, sig := range []unix.Signal{unix.SIGTERM, unix.SIGKILL, unix.SIGHUP} {
		// The first process of a container is protected from its own signals
		// on Linux; an exec is like any process.
		p := c.Exec(t, fmt.Sprintf("x%d", int(sig)), testbed.Args("die", strconv.Itoa(int(sig))))
		p.Start(t)
		if got, want := p.Exited(t), 128+uint32(sig); got != want {
			t.Errorf("death by %v: got status %d, want %d", sig, got, want)
		}
		p.DeleteProcess(t)
	}
	c.Signal(t, unix.SIGKILL)
	if got, want := c.Exited(t), 128+uint32(unix.SIGKILL); got != want {
		t.Errorf("init's death by SIGKILL: got status %d, want %d", got, want)
	}
}
