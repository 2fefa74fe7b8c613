package testbed

import (
	"testing"
	"time"

	apievents "github.com/containerd/containerd/api/events"
	"github.com/containerd/containerd/v2/core/events"
	"github.com/containerd/typeurl/v2"
)

// TestRecorder_Check_FindsEveryDisorder: every end-to-end test relies on Check to
// see a lost, doubled or misplaced event.
func TestRecorder_Check_FindsEveryDisorder(t *testing.T) {
	on := func(topic string) Event { return Event{Topic: topic, Container: "c"} }
	exec := func(topic string) Event { return Event{Topic: topic, Container: "c", Exec: "x"} }
	create, start, exit, del := on(TopicCreate), on(TopicStart), on(TopicExit), on(TopicDelete)
	added, started, ended := exec(TopicExecAdded), exec(TopicExecStarted), exec(TopicExit)
	for _, tc := range []struct {
		name   string
		events []Event
		ok     bool
	}{
		{"a life", []Event{create, start, exit, del}, true},
		{"two lives", []Event{create, start, exit, del, create, start, exit, del}, true},
		{"killed before start", []Event{create, exit, del}, true},
		{"deleted before start", []Event{create, del}, true},
		{"with an exec", []Event{create, start, added, started, ended, exit, del}, true},
		{"exec before start", []Event{create, added, started, start, ended, exit, del}, true},
		{"exec never started", []Event{create, start, added, exit, del}, true},
		{"oom after exit", []Event{create, start, exit, on(TopicOOM), del}, true},
		{"paused", []Event{create, start, on(TopicPaused), on(TopicResumed), exit, del}, true},

		{"no create", []Event{start, exit, del}, false},
		{"exit before start", []Event{create, exit, start, del}, false},
		{"no exit", []Event{create, start, del}, false},
		{"two exits", []Event{create, start, exit, exit, del}, false},
		{"exit after delete", []Event{create, start, del, exit}, false},
		{"two starts", []Event{create, start, start, exit, del}, false},
		{"two deletes", []Event{create, start, exit, del, del}, false},
		{"no delete", []Event{create, start, exit}, false},
		{"exec's exit before its start", []Event{create, start, added, ended, started, exit, del}, false},
		{"exec's exit twice", []Event{create, start, added, started, ended, ended, exit, del}, false},
		{"exec's exit after the container's", []Event{create, start, added, started, exit, ended, del}, false},
		{"exec's exit lost", []Event{create, start, added, started, exit, del}, false},
		{"exec not added", []Event{create, start, started, ended, exit, del}, false},
		{"exec added after exit", []Event{create, start, exit, added, del}, false},
	} {
		r := Recorder{events: tc.events}
		if err := r.check(true, false); (err == nil) != tc.ok {
			t.Errorf("%s: check = %v, want ok: %t", tc.name, err, tc.ok)
		}
	}
}

func TestRecorder_SentAgain_CountsOnce(t *testing.T) {
	exit, err := typeurl.MarshalAny(&apievents.TaskExit{ContainerID: "c", ID: "c", Pid: 7})
	if err != nil {
		t.Fatal(err)
	}
	r, now := newRecorder("test"), time.Now()
	for _, at := range []time.Time{now, now, now.Add(time.Nanosecond)} {
		r.note(&events.Envelope{Timestamp: at, Namespace: "test", Topic: TopicExit, Event: exit})
	}
	if all := r.All(); len(all) != 2 {
		t.Errorf("got %v, want the exit, and the one that was published later", all)
	}
}
