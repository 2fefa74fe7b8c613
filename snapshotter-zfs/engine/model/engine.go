package model

import (
	"context"
	"errors"
	"maps"
	"strconv"
	"strings"
	"syscall"

	"github.com/containerd/errdefs"

	"jailshim/snapshotter-zfs/engine"
)

var _ engine.Engine = (*Engine)(nil)

// Engine is one user of a pool. Several may use the same, as processes do.
type Engine struct {
	pool *Pool
	caps engine.Capabilities
	gate *engine.Gate
}

// maxCalls is how many calls run at the same time.
const maxCalls = 1000

// New makes an engine that has all capabilities.
func New(p *Pool) *Engine {
	return NewLimited(p, engine.Capabilities{
		Programs: true, CloneInProgram: true, SnapshotMany: true, Written: true, SnapshotMounts: true,
	})
}

// NewLimited makes an engine that has certain capabilities.
func NewLimited(p *Pool, caps engine.Capabilities) *Engine {
	caps.Engine = "model"
	return &Engine{pool: p, caps: caps, gate: engine.NewGate(maxCalls)}
}

// Capabilities returns what New or NewLimited got.
func (e *Engine) Capabilities() engine.Capabilities { return e.caps }

// Close makes later calls fail.
func (e *Engine) Close() error {
	e.gate.Close()
	return nil
}

// change applies a change to the open transaction group and waits until that is on
// disk. It is nothing if apply fails.
func (e *Engine) change(ctx context.Context, op, object string, apply func(s state, txg uint64) *engine.Error) error {
	p := e.pool
	leave, err := e.enter(ctx, op, object)
	if err != nil {
		return err
	}
	defer leave()
	p.mu.Lock()
	crashes := p.crashes
	if p.stepLocked(op, object, Begun) {
		p.mu.Unlock()
		return ErrCrashed
	}
	next := p.open.clone()
	if err := apply(next, p.txg); err != nil {
		p.mu.Unlock()
		return err
	}
	p.open = next
	txg := p.txg
	if p.stepLocked(op, object, Applied) {
		p.mu.Unlock()
		return ErrCrashed
	}
	p.mu.Unlock()
	p.wait(txg)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stepLocked(op, object, Synced) || crashes != p.crashes {
		return ErrCrashed
	}
	return nil
}

func (p *Pool) stepLocked(op, object string, step Step) bool {
	if p.onStep == nil || !p.onStep(op, object, step) {
		return false
	}
	p.crashLocked()
	return true
}

// enter begins an operation, if it may begin.
func (e *Engine) enter(ctx context.Context, op, object string) (leave func(), err error) {
	leave, err = e.gate.Enter(ctx, op, object)
	if err != nil {
		return nil, err
	}
	e.pool.mu.Lock()
	defer e.pool.mu.Unlock()
	if engine.Pool(object) != e.pool.name || e.pool.exported {
		leave()
		return nil, &engine.Error{Op: op, Object: object, Detail: "the pool is not imported", Class: errdefs.ErrUnavailable}
	}
	return leave, nil
}

// Create makes a file system.
func (e *Engine) Create(ctx context.Context, name string, props map[string]string) error {
	return e.make(ctx, engine.OpCreate, name, "", props)
}

// Clone makes a file system from a snapshot.
func (e *Engine) Clone(ctx context.Context, snapshot, name string, props map[string]string) error {
	if err := engine.CheckSnapshot(engine.OpClone, snapshot); err != nil {
		return err
	}
	return e.make(ctx, engine.OpClone, name, snapshot, props)
}

func (e *Engine) make(ctx context.Context, op, name, origin string, props map[string]string) error {
	if err := engine.CheckDataset(op, name); err != nil {
		return err
	}
	if err := engine.CheckProps(op, name, props); err != nil {
		return err
	}
	now, later := e.splitProps(origin, props)
	err := e.change(ctx, op, name, func(s state, txg uint64) *engine.Error {
		return e.pool.makeLocked(s, txg, op, name, origin, now)
	})
	if err != nil {
		return err
	}
	// Each group of properties is a transaction of its own, and a crash between them
	// leaves the file system without the rest.
	for _, group := range later {
		err := e.change(ctx, op, name, func(s state, _ uint64) *engine.Error {
			return e.pool.setLocked(s, op, name, group)
		})
		if errors.Is(err, ErrCrashed) {
			return err
		}
		if err != nil {
			return errors.Join(err, e.Destroy(ctx, []string{name}, false))
		}
	}
	return nil
}

// splitProps returns the properties that come with a new file system, and those that
// cost a transaction each.
func (e *Engine) splitProps(origin string, props map[string]string) (now map[string]string, later []map[string]string) {
	now = map[string]string{}
	rest := map[string]string{}
	for k, v := range props {
		switch {
		case isQuota(k):
			later = append(later, map[string]string{k: v})
		case origin != "" && e.caps.CloneInProgram && strings.Contains(k, ":"):
			now[k] = v
		default:
			rest[k] = v
		}
	}
	if len(rest) > 0 {
		later = append([]map[string]string{rest}, later...)
	}
	return now, later
}

func isQuota(prop string) bool {
	switch prop {
	case "quota", "refquota", "reservation", "refreservation":
		return true
	}
	return false
}

func quota(value string) uint64 {
	n, err := strconv.ParseUint(value, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func (p *Pool) makeLocked(s state, txg uint64, op, name, origin string, props map[string]string) *engine.Error {
	if _, ok := s[name]; ok {
		return engine.NewError(op, name, syscall.EEXIST, "")
	}
	if _, ok := s[parentOf(name)]; !ok {
		return engine.NewError(op, name, syscall.ENOENT, "")
	}
	o := object{props: props, createTXG: txg, origin: origin}
	if origin != "" {
		from, ok := s[origin]
		if !ok || from.deferred {
			return engine.NewError(op, name, syscall.ENOENT, "there is no "+origin)
		}
		o.files = from.files
	}
	if s.used(p.name)+objectCost > p.size {
		return engine.NewError(op, name, syscall.ENOSPC, "")
	}
	p.ids++
	o.guid = p.ids
	s[name] = o
	return nil
}

// Snapshot makes snapshots, all or none.
func (e *Engine) Snapshot(ctx context.Context, names []string, props map[string]string) error {
	if err := engine.CheckSnapshots(names); err != nil {
		return err
	}
	if err := engine.CheckProps(engine.OpSnapshot, names[0], props); err != nil {
		return err
	}
	if len(names) > 1 && !e.caps.SnapshotMany {
		return &engine.Error{Op: engine.OpSnapshot, Object: names[0], Class: errdefs.ErrNotImplemented,
			Detail: "this ZFS makes one snapshot at a time"}
	}
	e.pool.separate(names)
	return e.change(ctx, engine.OpSnapshot, strings.Join(names, " "), func(s state, txg uint64) *engine.Error {
		return e.pool.snapshotLocked(s, txg, names, props)
	})
}

// separate ends the open transaction group if it has a snapshot of a file system that
// gets another: ZFS makes one in each group at most.
func (p *Pool) separate(names []string) {
	p.mu.Lock()
	txg, again := p.txg, false
	for _, name := range names {
		dataset, _ := split(name)
		newest := p.open.newest(dataset)
		again = again || newest != "" && p.open[newest].createTXG == txg
	}
	p.mu.Unlock()
	if again {
		p.wait(txg)
	}
}

func (p *Pool) snapshotLocked(s state, txg uint64, names []string, props map[string]string) *engine.Error {
	for _, name := range names {
		dataset, _ := split(name)
		if _, ok := s[name]; ok {
			return engine.NewError(engine.OpSnapshot, name, syscall.EEXIST, "")
		}
		of, ok := s[dataset]
		if !ok {
			return engine.NewError(engine.OpSnapshot, name, syscall.ENOENT, "")
		}
		if s.used(p.name)+objectCost > p.size {
			return engine.NewError(engine.OpSnapshot, name, syscall.ENOSPC, "")
		}
		p.ids++
		s[name] = object{guid: p.ids, createTXG: txg, props: maps.Clone(props), files: of.files}
	}
	return nil
}
