package task

import (
	"fmt"
	"log/slog"
	"os/exec"
	"sync"
	"syscall"
	"time"

	taskapi "github.com/containerd/containerd/api/runtime/task/v2"
	"github.com/containerd/errdefs"

	"jailshim/driver"
	"jailshim/options"
)

// Publisher hands events to containerd, in the order of the calls. It does not
// block.
type Publisher interface {
	Publish(topic string, event any)
}

// Reaper waits for child processes; see shim.Reaper for the contract of each
// method.
type Reaper interface {
	Hold() (release func())
	Watch(pid int, fn func(status int, at time.Time)) error
	Signal(pid int, sig syscall.Signal) error
	Start(*exec.Cmd) error
	Wait(*exec.Cmd) error
}

// RuntimeFunc returns the runtime that a task's options select. An option that
// this platform has not is an error wrapping errdefs.ErrInvalidArgument.
type RuntimeFunc func(namespace string, o options.Options) (driver.Runtime, error)

// Config is what a Service needs.
type Config struct {
	Namespace  string
	Shim       string // name of this process, which no other has had
	StateDir   string // where records are kept
	Version    string
	Reaper     Reaper
	Events     Publisher
	NewRuntime RuntimeFunc
	// Shutdown ends the process once the answer to the call under way is sent.
	Shutdown func()
	Log      *slog.Logger
}

// Service is containerd's Task service. See Register for the methods.
type Service struct {
	Config

	mu         sync.Mutex // guards the fields below
	containers map[string]*container
	creating   map[string]struct{} // ids that a Create has reserved
	down       bool                // no container may be created any more
	wanted     bool                // a Shutdown came too early
	told       map[string]struct{} // ignored options that were logged
}

// NewService returns a Service without containers.
func NewService(c Config) *Service {
	return &Service{
		Config:     c,
		containers: make(map[string]*container),
		creating:   make(map[string]struct{}),
		told:       make(map[string]struct{}),
	}
}

// EndIfIdle ends the process if there is no container, and none being created; none will
// be. Otherwise it does nothing and returns false.
func (s *Service) EndIfIdle() bool {
	s.mu.Lock()
	idle := s.idleLocked()
	s.down = s.down || idle
	s.mu.Unlock()
	if idle {
		s.Shutdown()
	}
	return idle
}

func (s *Service) idleLocked() bool { return len(s.containers)+len(s.creating) == 0 }

// container returns a container by id, or an error wrapping errdefs.ErrNotFound.
func (s *Service) container(id string) (*container, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.containers[id]
	if !ok {
		return nil, notFound("container", id)
	}
	return c, nil
}

// find returns a container and one of its processes.
func (s *Service) find(id, execID string) (*container, *process, error) {
	c, err := s.container(id)
	if err != nil {
		return nil, nil, err
	}
	p, err := c.process(execID)
	return c, p, err
}

// beingCreated reports whether a Create of the container is under way.
func (s *Service) beingCreated(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.creating[id]
	return ok
}

// reserve takes an id for a Create, which must give it back with release.
func (s *Service) reserve(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, exists := s.containers[id]
	_, creating := s.creating[id]
	switch {
	case exists || creating:
		return fmt.Errorf("container %q: %w", id, errdefs.ErrAlreadyExists)
	case s.down:
		return fmt.Errorf("container %q: the shim is shutting down: %w", id, errdefs.ErrUnavailable)
	}
	s.creating[id] = struct{}{}
	return nil
}

// release also ends the process if it was asked to while the Create was under
// way, and nothing came of that: a client that gives a Create up asks once, while
// it is being taken back.
func (s *Service) release(id string) {
	s.mu.Lock()
	delete(s.creating, id)
	s.mu.Unlock()
	s.endIfWanted()
}

// register makes a created container known, to calls and by its event at once.
func (s *Service) register(c *container, r *taskapi.CreateTaskRequest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.containers[c.id] = c
	c.announce(r)
}

// forget makes a deleted container unknown, to calls and by its event at once: the next one
// with its id comes after it, as does the end of the process.
func (s *Service) forget(c *container) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.announceDelete()
	delete(s.containers, c.id)
}

// shutdown ends the process if nothing is left, or once that is so: it may not be asked
// again. containerd 2.2 and 2.3 ask for the first container of a pod that is deleted,
// and when it is the sandbox's own, for none of the others.
func (s *Service) shutdown() {
	s.mu.Lock()
	s.wanted = true
	s.mu.Unlock()
	s.EndIfIdle()
}

// endIfWanted is called when a container, or a Create, has gone.
func (s *Service) endIfWanted() {
	s.mu.Lock()
	wanted := s.wanted
	s.mu.Unlock()
	if wanted {
		s.EndIfIdle()
	}
}

// tellIgnored logs options that have no effect, each once.
func (s *Service) tellIgnored(names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range names {
		if _, ok := s.told[n]; !ok {
			s.told[n] = struct{}{}
			s.Log.Warn("runtime option has no effect here", "option", n)
		}
	}
}
