package testbed

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	apievents "github.com/containerd/containerd/api/events"
	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/events"
	"github.com/containerd/typeurl/v2"
)

// Event is an event about a task or one of its processes.
type Event struct {
	Topic     string
	Container string
	Exec      string // id of the exec it is about; empty for the container's init
	Pid       uint32 // where the event has one
	Status    uint32 // of an exit
	Message   any    // the whole event
}

func (e Event) String() string {
	what := e.Container
	if e.Exec != "" {
		what += "/" + e.Exec
	}
	s := fmt.Sprintf("%s %s pid %d", e.Topic, what, e.Pid)
	if e.Topic == TopicExit {
		s += fmt.Sprintf(" status %d", e.Status)
	}
	return s
}

// The topics of events about tasks.
const (
	TopicCreate      = "/tasks/create"
	TopicStart       = "/tasks/start"
	TopicOOM         = "/tasks/oom"
	TopicExit        = "/tasks/exit"
	TopicDelete      = "/tasks/delete"
	TopicExecAdded   = "/tasks/exec-added"
	TopicExecStarted = "/tasks/exec-started"
	TopicPaused      = "/tasks/paused"
	TopicResumed     = "/tasks/resumed"
)

// topicMarker is of an event that the recorder sends itself, to see when its
// subscription has begun.
const topicMarker = "/e2e/marker"

// newEvent reads an event about a task; false for any other.
func newEvent(env *events.Envelope) (Event, bool, error) {
	if !strings.HasPrefix(env.Topic, "/tasks/") {
		return Event{}, false, nil
	}
	message, err := typeurl.UnmarshalAny(env.Event)
	if err != nil {
		return Event{}, false, fmt.Errorf("event %s: %w", env.Topic, err)
	}
	e := Event{Topic: env.Topic, Message: message}
	switch m := message.(type) {
	case *apievents.TaskCreate:
		e.Container, e.Pid = m.ContainerID, m.Pid
	case *apievents.TaskStart:
		e.Container, e.Pid = m.ContainerID, m.Pid
	case *apievents.TaskOOM:
		e.Container = m.ContainerID
	case *apievents.TaskExit:
		e.Container, e.Exec, e.Pid, e.Status = m.ContainerID, m.ID, m.Pid, m.ExitStatus
	case *apievents.TaskDelete:
		e.Container, e.Exec, e.Pid, e.Status = m.ContainerID, m.ID, m.Pid, m.ExitStatus
	case *apievents.TaskExecAdded:
		e.Container, e.Exec = m.ContainerID, m.ExecID
	case *apievents.TaskExecStarted:
		e.Container, e.Exec, e.Pid = m.ContainerID, m.ExecID, m.Pid
	case *apievents.TaskPaused:
		e.Container = m.ContainerID
	case *apievents.TaskResumed:
		e.Container = m.ContainerID
	default:
		return Event{}, false, fmt.Errorf("event %s holds a %T", env.Topic, message)
	}
	if e.Container == "" {
		return Event{}, false, fmt.Errorf("event %s names no container: %v", env.Topic, message)
	}
	// The id of an exit or delete is the process's: the container's own for init.
	if e.Exec == e.Container {
		e.Exec = ""
	}
	return e, true, nil
}

// Recorder keeps the events of a namespace in the order they came.
type Recorder struct {
	namespace string

	mu     sync.Mutex // guards the fields below
	events []Event
	seen   map[sent]struct{}
	marked int // markers seen
	errs   []error
	ended  error // why the last subscription that is over is over
}

// sent is an event at the time when it was published: a second one like it has another.
type sent struct {
	at                     int64 // in ns
	topic, container, exec string
}

// newRecorder returns a Recorder of a namespace, which has nothing yet.
func newRecorder(namespace string) *Recorder {
	return &Recorder{namespace: namespace, seen: map[sent]struct{}{}}
}

// Subscribe begins to record, and returns when the subscription surely sees
// every event from now on. It ends with the context or with the daemon; a
// recorder can then subscribe again.
func (r *Recorder) Subscribe(ctx context.Context, client *containerd.Client) error {
	r.mu.Lock()
	before := r.marked
	r.mu.Unlock()
	envelopes, ended := client.Subscribe(ctx, "namespace=="+r.namespace)
	// goroutine: of this subscription; ends with it, or with the daemon; nobody
	// waits for it, its last act is to note why.
	go func() {
		for {
			select {
			case env := <-envelopes:
				r.note(env)
			case err := <-ended:
				r.mu.Lock()
				r.ended = err
				r.mu.Unlock()
				return
			}
		}
	}()
	marker := &apievents.NamespaceUpdate{Name: r.namespace}
	return poll(Patience, func() error {
		if err := client.EventService().Publish(ctx, topicMarker, marker); err != nil {
			return err
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.marked == before {
			return errors.Join(errors.New("events are not coming in"), r.ended)
		}
		return nil
	})
}

func (r *Recorder) note(env *events.Envelope) {
	e, ok, err := newEvent(env)
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case err != nil:
		r.errs = append(r.errs, err)
	case ok:
		// One that containerd was too slow to acknowledge is sent again, as it was.
		at := sent{env.Timestamp.UnixNano(), e.Topic, e.Container, e.Exec}
		if _, again := r.seen[at]; !again {
			r.seen[at] = struct{}{}
			r.events = append(r.events, e)
		}
	case env.Topic == topicMarker:
		r.marked++
	}
}

// All returns the events so far.
func (r *Recorder) All() []Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}

// Of returns the events about a container and its execs so far.
func (r *Recorder) Of(container string) []Event {
	return slices.DeleteFunc(r.All(), func(e Event) bool { return e.Container != container })
}

// Await waits for an event about a container's init, or about its exec if that
// isn't "", and returns it.
func (r *Recorder) Await(tb testing.TB, topic, container, exec string) Event {
	tb.Helper()
	var found Event
	Until(tb, fmt.Sprintf("event %s of %s %s", topic, container, exec), func() error {
		all := r.Of(container)
		i := slices.IndexFunc(all, func(e Event) bool { return e.Topic == topic && e.Exec == exec })
		if i < 0 {
			return fmt.Errorf("the events are %v", all)
		}
		found = all[i]
		return nil
	})
	return found
}

// Check returns an error unless every event is at its place: for a container
// Create, Start, Exit, Delete; for an exec ExecAdded, ExecStarted, Exit, all
// within its container's life; each at most once in a life. A container that was
// killed before its start has no Start; one that was deleted before its start
// may have no Exit.
//
// With complete it is also an error if some container has not come to its
// Delete.
//
// Deletions of containerd's own shim are not looked at: it may end before it has
// sent the event, and sends it beside the others, so also before them.
func (r *Recorder) Check(complete bool) error {
	return r.check(complete, Runtime != OurRuntime)
}

func (r *Recorder) check(complete, anyDelete bool) error {
	r.mu.Lock()
	errs := slices.Clone(r.errs)
	r.mu.Unlock()
	type life struct {
		state string            // "", created, running, stopped
		execs map[string]string // by id: added, running, stopped
	}
	lives := map[string]*life{}
	for _, e := range r.All() {
		l := lives[e.Container]
		if l == nil {
			l = &life{}
			lives[e.Container] = l
		}
		now, next := l.state, ""
		if e.Exec != "" {
			now = "exec " + l.execs[e.Exec]
		}
		ok := true
		if anyDelete {
			if e.Topic == TopicDelete {
				continue
			}
			if e.Topic == TopicCreate {
				now = ""
			}
		}
		switch e.Topic + " " + now {
		case TopicCreate + " ":
			next, l.execs = "created", map[string]string{}
		case TopicStart + " created":
			next = "running"
		case TopicExit + " created", TopicExit + " running":
			next = "stopped"
			for id, state := range l.execs {
				if state == "running" {
					errs = append(errs, fmt.Errorf("%v comes before the exit of its exec %s", e, id))
				}
			}
		case TopicDelete + " created", TopicDelete + " stopped":
			next = ""
		case TopicOOM + " running", TopicOOM + " stopped",
			TopicPaused + " running", TopicResumed + " running":
			next = now
		// An exec's deletion is no event that a shim must send, so the id may
		// come again.
		case TopicExecAdded + " exec ", TopicExecAdded + " exec added", TopicExecAdded + " exec stopped":
			next, ok = "added", l.state == "created" || l.state == "running"
		case TopicExecStarted + " exec added":
			next, ok = "running", l.state == "created" || l.state == "running"
		case TopicExit + " exec running":
			next, ok = "stopped", l.state == "created" || l.state == "running"
		case TopicDelete + " exec added", TopicDelete + " exec stopped":
			next = ""
		default:
			ok = false
		}
		if !ok {
			errs = append(errs, fmt.Errorf("%v comes when the container is %q, the process %q", e, l.state, now))
			continue
		}
		if e.Exec != "" {
			l.execs[e.Exec] = next
		} else {
			l.state = next
		}
	}
	for id, l := range lives {
		if complete && l.state != "" && !anyDelete {
			errs = append(errs, fmt.Errorf("container %s was created, and its last event leaves it %s", id, l.state))
		}
	}
	return errors.Join(errs...)
}
