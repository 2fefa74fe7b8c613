package engine

import (
	"context"
	"fmt"
	"sync"
	"syscall"
)

// Gate lets a limited number of calls into an engine at once, and none once it is
// closed. Each waiting call keeps a thread, or a process, for as long as a txg takes.
type Gate struct {
	slots chan struct{}

	mu     sync.RWMutex // held for reading by calls that are inside, guards the field below
	closed bool
}

// NewGate makes a gate for n calls at once.
func NewGate(n int) *Gate { return &Gate{slots: make(chan struct{}, n)} }

// Enter waits for its turn. The caller leaves once the call is done. It fails if ctx
// ends first, or with FailedPrecondition when the gate is closed.
func (g *Gate) Enter(ctx context.Context, op, object string) (leave func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("%s %q: %w", op, object, err)
	}
	select {
	case g.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("%s %q: %w", op, object, ctx.Err())
	}
	g.mu.RLock()
	if g.closed {
		g.mu.RUnlock()
		<-g.slots
		return nil, NewError(op, object, syscall.EBADF, "the engine is closed")
	}
	return func() {
		g.mu.RUnlock()
		<-g.slots
	}, nil
}

// Close waits for the calls that are inside. It reports whether it was the first to
// close the gate.
func (g *Gate) Close() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	first := !g.closed
	g.closed = true
	return first
}
