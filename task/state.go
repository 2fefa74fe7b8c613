package task

import (
	"fmt"

	tasktypes "github.com/containerd/containerd/api/types/task"
	"github.com/containerd/errdefs"
)

// state is where a process stands. The init of a container and its execs follow
// the same machine:
//
//	        ┌──────────────── exit ───────────────┐
//	        │                                     ▼
//	(new)─▶ created ─start─▶ starting ─running─▶ running ─exit─▶ stopped ─delete─▶ deleted
//	        │                    └────────failed───────────────▶ ▲                ▲
//	        └──────────────────────── delete ──────────────────────────────────────┘
//
// A state changes because something was observed, never because it was asked
// for. An exit that is seen in starting is kept until the outcome of the start is
// known, so that a start always precedes its exit.
type state int

const (
	stateNew      state = iota // being made; nobody can name it yet
	stateCreated               // exists; the user's program does not run
	stateStarting              // a start is under way
	stateRunning               // the user's program runs
	stateStopped               // ended; the status is recorded
	stateDeleted               // forgotten; only late holders of a pointer see it
	numStates
)

func (s state) String() string {
	return [numStates]string{"new", "created", "starting", "running", "stopped", "deleted"}[s]
}

// event is what moves a process from one state to the next.
type event int

const (
	eventCreated event = iota // it was made
	eventStart                // a start was asked for
	eventRunning              // the program runs
	eventFailed               // the program could not be run
	eventExit                 // its exit was seen
	eventDelete               // it was removed
	numEvents
)

func (e event) String() string {
	return [numEvents]string{"create", "start", "run", "fail", "exit", "delete"}[e]
}

// transitions is the whole machine; what is not in it is refused.
var transitions = map[state]map[event]state{
	stateNew:      {eventCreated: stateCreated},
	stateCreated:  {eventStart: stateStarting, eventExit: stateStopped, eventDelete: stateDeleted},
	stateStarting: {eventRunning: stateRunning, eventFailed: stateStopped},
	stateRunning:  {eventExit: stateStopped},
	stateStopped:  {eventDelete: stateDeleted},
	stateDeleted:  {},
}

// next returns the state after e, or an error that wraps errdefs.ErrNotFound for
// what is deleted (or not yet there), else errdefs.ErrFailedPrecondition.
func (s state) next(e event) (state, error) {
	if n, ok := transitions[s][e]; ok {
		return n, nil
	}
	if s == stateDeleted || s == stateNew {
		return s, fmt.Errorf("%s: %w", e, errdefs.ErrNotFound)
	}
	return s, fmt.Errorf("%s: process is %s: %w", e, s, errdefs.ErrFailedPrecondition)
}

// status is what containerd calls the state. Paused belongs to the container,
// and shows on processes that run.
func (s state) status(paused bool) tasktypes.Status {
	switch s {
	case stateCreated, stateStarting:
		return tasktypes.Status_CREATED
	case stateRunning:
		if paused {
			return tasktypes.Status_PAUSED
		}
		return tasktypes.Status_RUNNING
	case stateStopped:
		return tasktypes.Status_STOPPED
	}
	return tasktypes.Status_UNKNOWN
}
