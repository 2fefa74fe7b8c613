package ioctl

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"syscall"

	"github.com/containerd/errdefs"

	"jailshim/snapshotter-zfs/engine"
	"jailshim/snapshotter-zfs/nvlist"
)

// clones gathers what is to be cloned by programs. While one program is in the kernel,
// callers wait; the next one makes all of their clones. Programs that enter the kernel
// one by one get a txg each, or nearly: many callers would wait for many txgs.
type clones struct {
	mu     sync.Mutex // guards the field below
	queues map[string]*cloneQueue
}

// cloneQueue is that of a pool for which a program runs.
type cloneQueue struct {
	waiting []*clone // oldest first
}

// clone is one that a caller waits for.
type clone struct {
	ctx            context.Context
	snapshot, name string
	props          map[string]string
	// done gets the result, or turn is closed: the caller runs the next program.
	done chan error
	turn chan struct{}
}

// maxCloneProps is how many bytes of properties a program with several clones gets,
// well below programMemory.
const maxCloneProps = 512 << 10

// cloneInProgram makes a clone, together with those of others.
func (e *Engine) cloneInProgram(ctx context.Context, snapshot, name string, props map[string]string) error {
	c := &clone{ctx: ctx, snapshot: snapshot, name: name, props: props, done: make(chan error, 1), turn: make(chan struct{})}
	if e.clones.join(c) {
		select {
		case err := <-c.done:
			return err
		case <-c.turn:
		}
	}
	// The first of the batch is c.
	batch := e.clones.take(engine.Pool(name))
	errs := e.cloneAll(ctx, batch)
	e.clones.pass(engine.Pool(name))
	for i, other := range batch[1:] {
		other.done <- errs[i+1]
	}
	return errs[0]
}

// join queues a clone, and reports whether its caller has to wait.
func (q *clones) join(c *clone) (wait bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	pool := engine.Pool(c.name)
	queue, running := q.queues[pool]
	if !running {
		if q.queues == nil {
			q.queues = map[string]*cloneQueue{}
		}
		queue = &cloneQueue{}
		q.queues[pool] = queue
	}
	queue.waiting = append(queue.waiting, c)
	return running
}

// take returns what the next program clones.
func (q *clones) take(pool string) []*clone {
	q.mu.Lock()
	defer q.mu.Unlock()
	queue := q.queues[pool]
	n, size := 0, 0
	for _, c := range queue.waiting {
		for name, value := range c.props {
			size += len(name) + len(value)
		}
		if n == perProgram || n > 0 && size > maxCloneProps {
			break
		}
		n++
	}
	batch := queue.waiting[:n:n]
	queue.waiting = queue.waiting[n:]
	return batch
}

// pass gives the turn to the next that waits, if there is one.
func (q *clones) pass(pool string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if waiting := q.queues[pool].waiting; len(waiting) > 0 {
		close(waiting[0].turn)
		return
	}
	delete(q.queues, pool)
}

// cloneAll makes clones in one pool, and returns the error of each.
func (e *Engine) cloneAll(ctx context.Context, batch []*clone) []error {
	errs := make([]error, len(batch))
	// Others must not fail for the context of the one whose turn it is.
	leave, err := e.gate.Enter(context.WithoutCancel(ctx), engine.OpClone, batch[0].name)
	var closed *engine.Error
	if errors.As(err, &closed) {
		for i, c := range batch {
			errs[i] = engine.NewError(closed.Op, c.name, closed.Errno, closed.Detail)
		}
		return errs
	}
	defer leave()
	var names, origins []string
	var which []int // of batch
	props := nvlist.List{}
	for i, c := range batch {
		if err := c.ctx.Err(); err != nil {
			errs[i] = fmt.Errorf("%s %q: %w", engine.OpClone, c.name, err)
			continue
		}
		which, names, origins = append(which, i), append(names, c.name), append(origins, c.snapshot)
		props = append(props, nvlist.Pair{Name: strconv.Itoa(len(names)), Value: propList(c.props)})
	}
	if len(names) == 0 {
		return errs
	}
	result, err := e.program(engine.OpClone, names[0], program{
		text: cloneProgram,
		args: nvlist.List{{Name: "names", Value: names}, {Name: "origins", Value: origins}, {Name: "props", Value: props}},
		sync: true,
	})
	failed := cloneFailures(result, err, len(names))
	for n, i := range which {
		if failed[n] != nil {
			errs[i] = e.cloneError(batch[i], *failed[n])
		}
	}
	return errs
}

// cloneFailure is why a program did not make a clone.
type cloneFailure struct {
	errno syscall.Errno
	prop  string        // the property at fault, or ""
	whole *engine.Error // the program failed as such
}

// cloneFailures reads what a program gave for n clones: nil for those that it made.
func cloneFailures(result nvlist.List, err error, n int) []*cloneFailure {
	failed := make([]*cloneFailure, n)
	all := func(whole *engine.Error) []*cloneFailure {
		for i := range failed {
			failed[i] = &cloneFailure{whole: whole}
		}
		return failed
	}
	var whole *engine.Error
	if errors.As(err, &whole) {
		return all(whole)
	}
	for _, p := range result {
		i, ok := index(p.Name, n)
		why, isList := p.Value.(nvlist.List)
		errno, hasErrno := nvlist.Number(why, "err")
		if !ok || !isList || !hasErrno || errno == 0 {
			return all(&engine.Error{Detail: fmt.Sprintf("a channel program gave %q = %v", p.Name, p.Value), Class: errdefs.ErrInternal})
		}
		prop, _ := nvlist.Value[string](why, "prop")
		failed[i] = &cloneFailure{errno: syscall.Errno(errno), prop: prop}
	}
	return failed
}

// cloneError makes an error of a failure.
func (e *Engine) cloneError(c *clone, f cloneFailure) error {
	if f.whole != nil {
		return &engine.Error{Op: engine.OpClone, Object: c.name, Errno: f.whole.Errno, Detail: f.whole.Detail, Class: f.whole.Class}
	}
	detail := fmt.Sprintf("from %q", c.snapshot)
	if f.prop != "" {
		detail += fmt.Sprintf(": property %q", f.prop)
	}
	return e.failed(engine.OpClone, c.name, f.errno, detail)
}
