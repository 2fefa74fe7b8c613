package model

import (
	"context"
	"maps"
	"strings"
	"syscall"

	"jailshim/snapshotter-zfs/engine"
)

// programSize is how many objects one transaction group destroys.
const programSize = 100

// Destroy destroys file systems and snapshots, in order.
func (e *Engine) Destroy(ctx context.Context, names []string, deferred bool) error {
	for _, name := range names {
		if err := engine.CheckName(engine.OpDestroy, name); err != nil {
			return err
		}
		if name == e.pool.name {
			return engine.NewError(engine.OpDestroy, name, syscall.EINVAL, "it is a pool")
		}
	}
	var failed []*engine.Error
	batch := 1
	if e.caps.Programs {
		batch = programSize
	}
	for rest := names; len(rest) > 0; {
		n := min(batch, len(rest))
		errs, err := e.destroySome(ctx, rest[:n], deferred)
		if err != nil {
			return err
		}
		failed, rest = append(failed, errs...), rest[n:]
	}
	return engine.Batch(names, failed)
}

func (e *Engine) destroySome(ctx context.Context, names []string, deferred bool) ([]*engine.Error, error) {
	var failed []*engine.Error
	err := e.change(ctx, engine.OpDestroy, strings.Join(names, " "), func(s state, _ uint64) *engine.Error {
		failed = nil
		for _, name := range names {
			if err := e.pool.destroyLocked(s, name, deferred); err != nil {
				failed = append(failed, err)
			}
		}
		return nil
	})
	return failed, err
}

func (p *Pool) destroyLocked(s state, name string, deferred bool) *engine.Error {
	o, ok := s[name]
	if !ok {
		return engine.NewError(engine.OpDestroy, name, syscall.ENOENT, "")
	}
	if _, isSnapshot := split(name); isSnapshot {
		return p.destroySnapshotLocked(s, name, o, deferred)
	}
	switch {
	case p.owned[name]:
		return engine.NewError(engine.OpDestroy, name, syscall.EBUSY, "")
	case s.dependents(name):
		return engine.NewError(engine.OpDestroy, name, syscall.EBUSY, "it has children or snapshots")
	}
	delete(s, name)
	// The last clone takes an origin with it that waits for that.
	if o.origin != "" && s[o.origin].deferred && len(s.clones(o.origin)) == 0 {
		delete(s, o.origin)
	}
	return nil
}

func (p *Pool) destroySnapshotLocked(s state, name string, o object, deferred bool) *engine.Error {
	if len(s.clones(name)) > 0 {
		if !deferred {
			return engine.NewError(engine.OpDestroy, name, syscall.EEXIST, "it has clones")
		}
		o.deferred = true
		s[name] = o
		return nil
	}
	delete(p.owned, name) // ZFS unmounts it by force
	delete(s, name)
	return nil
}

// Rollback sets a file system back to its newest snapshot.
func (e *Engine) Rollback(ctx context.Context, dataset, snapshot string) error {
	if err := engine.CheckRollback(dataset, snapshot); err != nil {
		return err
	}
	return e.change(ctx, engine.OpRollback, dataset, func(s state, _ uint64) *engine.Error {
		o, ok := s[dataset]
		if !ok {
			return engine.NewError(engine.OpRollback, dataset, syscall.ENOENT, "")
		}
		to, ok := s[snapshot]
		if !ok {
			return engine.NewError(engine.OpRollback, dataset, syscall.ENOENT, "there is no "+snapshot)
		}
		if s.newest(dataset) != snapshot {
			return engine.NewError(engine.OpRollback, dataset, syscall.ESRCH, snapshot+" is not the newest snapshot")
		}
		o.files = to.files
		s[dataset] = o
		return nil
	})
}

// SetProps sets and removes properties.
func (e *Engine) SetProps(ctx context.Context, name string, props map[string]string) error {
	if err := engine.CheckName(engine.OpSetProps, name); err != nil {
		return err
	}
	if err := engine.CheckProps(engine.OpSetProps, name, props); err != nil {
		return err
	}
	return e.change(ctx, engine.OpSetProps, name, func(s state, _ uint64) *engine.Error {
		return e.pool.setLocked(s, engine.OpSetProps, name, props)
	})
}

func (p *Pool) setLocked(s state, op, name string, props map[string]string) *engine.Error {
	o, ok := s[name]
	if !ok {
		return engine.NewError(op, name, syscall.ENOENT, "")
	}
	set := maps.Clone(o.props)
	if set == nil {
		set = map[string]string{}
	}
	for k, v := range props {
		if v == "" || isQuota(k) && quota(v) == 0 {
			delete(set, k)
			continue
		}
		if p.exceedsLocked(s, name, k, quota(v)) {
			return engine.NewError(op, name, syscall.ENOSPC, "property "+k)
		}
		set[k] = v
	}
	o.props = set
	s[name] = o
	return nil
}

// exceedsLocked tells whether a quota is less than what is used, or a reservation more
// than there is.
func (p *Pool) exceedsLocked(s state, name, prop string, n uint64) bool {
	switch prop {
	case "quota":
		return n < s.used(name)
	case "refquota":
		return n < size(s[name].files)
	case "reservation", "refreservation":
		return n > s.available(name, p.size)
	}
	return false
}

// Get returns a file system or a snapshot, as it is on disk.
func (e *Engine) Get(ctx context.Context, name string) (engine.Dataset, error) {
	if err := engine.CheckName(engine.OpGet, name); err != nil {
		return engine.Dataset{}, err
	}
	leave, err := e.enter(ctx, engine.OpGet, name)
	if err != nil {
		return engine.Dataset{}, err
	}
	defer leave()
	p := e.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.disk[name]; !ok {
		return engine.Dataset{}, engine.NewError(engine.OpGet, name, syscall.ENOENT, "")
	}
	return p.disk.dataset(name, p.size), nil
}

// List returns a file system and all below, as it is on disk.
func (e *Engine) List(ctx context.Context, root string) ([]engine.Dataset, error) {
	if err := engine.CheckDataset(engine.OpList, root); err != nil {
		return nil, err
	}
	leave, err := e.enter(ctx, engine.OpList, root)
	if err != nil {
		return nil, err
	}
	defer leave()
	p := e.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.disk[root]; !ok {
		return nil, engine.NewError(engine.OpList, root, syscall.ENOENT, "")
	}
	var list []engine.Dataset
	for name := range p.disk {
		if name == root || strings.HasPrefix(name, root+"/") || strings.HasPrefix(name, root+"@") {
			list = append(list, p.disk.dataset(name, p.size))
		}
	}
	engine.Sort(list)
	return list, nil
}
