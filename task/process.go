package task

import (
	"log/slog"
	"sync"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"jailshim/task/stdio"
)

// process is the init of a container, or an exec.
type process struct {
	c      *container
	execID string // empty for the init
	config stdio.Config
	spec   *specs.Process // of an exec; nil for the init
	log    *slog.Logger
	done   chan struct{} // closed once, when the process is stopped, or deleted before it was started

	sizing sync.Mutex // held by applySize; see doc.go

	// All below is guarded by c.mu.
	state     state
	pid       int // 0 before there is one
	io        *stdio.IO
	size      *winsize // asked for last, perhaps before there was a terminal
	stdinEnds bool     // asked for, perhaps before there was an io
	early     *exit    // seen while the start was under way
	exit      exit     // valid in stopped and deleted
}

// winsize is the size of a terminal in characters.
type winsize struct{ width, height uint16 }

func newProcess(c *container, execID string, config stdio.Config, spec *specs.Process, log *slog.Logger) *process {
	return &process{c: c, execID: execID, config: config, spec: spec, log: log, done: make(chan struct{})}
}

// name is the id under which events and State know the process.
func (p *process) name() string {
	if p.execID != "" {
		return p.execID
	}
	return p.c.id
}

// isInit reports whether this is the container's init.
func (p *process) isInit() bool { return p.execID == "" }

// moveLocked is the only place that changes the state.
func (p *process) moveLocked(e event) error {
	n, err := p.state.next(e)
	if err != nil {
		return err
	}
	p.state = n
	return nil
}

// stopLocked records the exit, moves on by e and lets the waiters go.
func (p *process) stopLocked(e event, x exit) error {
	if err := p.moveLocked(e); err != nil {
		return err
	}
	p.exit = x
	close(p.done)
	return nil
}

// deleteLocked forgets the process, and lets those go who wait for one that was
// never started.
func (p *process) deleteLocked() error {
	unstarted := p.state == stateCreated
	if err := p.moveLocked(eventDelete); err != nil {
		return err
	}
	if unstarted {
		close(p.done)
	}
	return nil
}

// failedStatus is the status of a process whose program could not be run.
const failedStatus = 255

func failedExit() exit { return exit{Status: failedStatus, At: time.Now()} }

// setIO gives the process its streams and applies what was asked for before they
// were there.
func (p *process) setIO(io *stdio.IO) {
	p.c.mu.Lock()
	p.io = io
	stdinEnds := p.stdinEnds
	p.c.mu.Unlock()
	if stdinEnds {
		if err := io.CloseStdin(); err != nil {
			p.log.Warn("standard input can't be closed", "error", err)
		}
	}
	if err := p.applySize(); err != nil {
		p.log.Warn("terminal can't be resized", "error", err)
	}
}

// applySize gives the terminal, if there is one yet, the size that was asked for last: one
// call at a time, or an older size could overtake a newer one.
func (p *process) applySize() error {
	p.sizing.Lock()
	defer p.sizing.Unlock()
	p.c.mu.Lock()
	io, size := p.io, p.size
	p.c.mu.Unlock()
	if io == nil || size == nil {
		return nil
	}
	return io.Resize(size.width, size.height)
}
