package task

import (
	"strings"
	"testing"

	tasktypes "github.com/containerd/containerd/api/types/task"
	"github.com/containerd/errdefs"
)

// allowed is the machine written a second time, as the sequences that a client
// may see; all else must be refused.
var allowed = []string{
	"new create created",
	"created start starting",
	"created exit stopped",
	"created delete deleted",
	"starting run running",
	"starting fail stopped",
	"running exit stopped",
	"stopped delete deleted",
}

func TestState_AllTransitions(t *testing.T) {
	want := make(map[string]string)
	for _, a := range allowed {
		f := strings.Fields(a)
		want[f[0]+" "+f[1]] = f[2]
	}
	seen := 0
	for s := range numStates {
		for e := range numEvents {
			got, err := s.next(e)
			next, ok := want[s.String()+" "+e.String()]
			switch {
			case ok:
				seen++
				if err != nil || got.String() != next {
					t.Errorf("%s, %s: got %s, %v; want %s", s, e, got, err, next)
				}
			case err == nil:
				t.Errorf("%s, %s: allowed, to %s", s, e, got)
			case got != s:
				t.Errorf("%s, %s: refused, but moved to %s", s, e, got)
			case s == stateDeleted || s == stateNew:
				if !errdefs.IsNotFound(err) {
					t.Errorf("%s, %s: %v, want NotFound", s, e, err)
				}
			case !errdefs.IsFailedPrecondition(err) || !strings.Contains(err.Error(), s.String()):
				t.Errorf("%s, %s: %v, want FailedPrecondition naming the state", s, e, err)
			}
		}
	}
	if seen != len(allowed) {
		t.Errorf("saw %d of %d transitions", seen, len(allowed))
	}
}

func TestState_Status(t *testing.T) {
	for s, want := range map[state][2]tasktypes.Status{
		stateNew:      {tasktypes.Status_UNKNOWN, tasktypes.Status_UNKNOWN},
		stateCreated:  {tasktypes.Status_CREATED, tasktypes.Status_CREATED},
		stateStarting: {tasktypes.Status_CREATED, tasktypes.Status_CREATED},
		stateRunning:  {tasktypes.Status_RUNNING, tasktypes.Status_PAUSED},
		stateStopped:  {tasktypes.Status_STOPPED, tasktypes.Status_STOPPED},
		stateDeleted:  {tasktypes.Status_UNKNOWN, tasktypes.Status_UNKNOWN},
	} {
		for i, paused := range []bool{false, true} {
			if got := s.status(paused); got != want[i] {
				t.Errorf("%s, paused %t: %s, want %s", s, paused, got, want[i])
			}
		}
	}
}
