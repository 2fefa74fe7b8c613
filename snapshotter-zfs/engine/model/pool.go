package model

import (
	"errors"
	"sync"
	"syscall"

	"jailshim/snapshotter-zfs/engine"
)

// Step is where a change is.
type Step int

// The steps of a change. A crash at Begun or Applied loses it, one at Synced does not.
const (
	Begun   Step = iota // nothing is changed
	Applied             // the change is in the open transaction group
	Synced              // it is on disk, and the caller doesn't know yet
)

// ErrCrashed is what calls get that a crash interrupted.
var ErrCrashed = errors.New("the model has crashed")

// Pool is a pool of the model, with what is on its disk.
type Pool struct {
	name string

	// syncing is held by who brings the open transaction group to disk.
	syncing sync.Mutex

	mu       sync.Mutex // guards the fields below
	size     uint64
	exported bool
	disk     state // what a crash leaves
	open     state
	txg      uint64 // the open one
	done     uint64 // the last one on disk
	crashes  int
	ids      uint64
	owned    map[string]bool
	onStep   func(op, object string, step Step) (crash bool)
}

// NewPool makes a pool of a size in bytes.
func NewPool(name string, size uint64) *Pool {
	root := state{name: {guid: 1, createTXG: 1}}
	return &Pool{
		name: name, size: size, disk: root, open: root.clone(),
		txg: 2, done: 1, ids: 1, owned: map[string]bool{},
	}
}

// Txgs is how many transaction groups were brought to disk.
func (p *Pool) Txgs() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.done
}

// OnStep has f see each step of each change; if it returns true, the pool crashes
// there. Nil ends that.
func (p *Pool) OnStep(f func(op, object string, step Step) (crash bool)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.onStep = f
}

// Crash loses what is not on disk, and all mounts. Calls that wait get [ErrCrashed].
func (p *Pool) Crash() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.crashLocked()
}

func (p *Pool) crashLocked() {
	p.open = p.disk.clone()
	p.owned = map[string]bool{}
	p.crashes++
}

// SetExported takes the pool away, or brings it back.
func (p *Pool) SetExported(exported bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.exported = exported
}

// Resize changes the pool's size.
func (p *Pool) Resize(size uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.size = size
}

// Own takes a file system or snapshot for a mount: EBUSY if another one has it.
func (p *Pool) Own(name string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.open[name]; !ok {
		return engine.NewError("mount", name, syscall.ENOENT, "")
	}
	if p.owned[name] {
		return engine.NewError("mount", name, syscall.EBUSY, "")
	}
	p.owned[name] = true
	return nil
}

// Disown ends what Own began.
func (p *Pool) Disown(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.owned, name)
}

// Owned tells whether a file system or snapshot is mounted.
func (p *Pool) Owned(name string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.owned[name]
}

// WriteFile writes a file of a file system. Contents "" remove it. It is on disk when
// the next transaction group is.
func (p *Pool) WriteFile(dataset, path, contents string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	o, ok := p.open[dataset]
	if !ok {
		return engine.NewError("write", dataset, syscall.ENOENT, "")
	}
	files := make(map[string]file, len(o.files)+1)
	for name, f := range o.files {
		files[name] = f
	}
	delete(files, path)
	if contents != "" {
		p.ids++
		files[path] = file{id: p.ids, data: contents}
	}
	if q := quota(o.props["refquota"]); q > 0 && size(files) > q && contents != "" {
		return engine.NewError("write", dataset, syscall.EDQUOT, "")
	}
	if p.open.used(p.name)+uint64(len(contents)) > p.size {
		return engine.NewError("write", dataset, syscall.ENOSPC, "")
	}
	o.files = files
	p.open[dataset] = o
	return nil
}

// Files returns the files of a file system or snapshot, with their contents.
func (p *Pool) Files(name string) map[string]string {
	p.mu.Lock()
	defer p.mu.Unlock()
	files := map[string]string{}
	for path, f := range p.open[name].files {
		files[path] = f.data
	}
	return files
}

// Sync brings all that was written to disk.
func (p *Pool) Sync() {
	p.mu.Lock()
	txg := p.txg
	p.mu.Unlock()
	p.wait(txg)
}

// wait returns when a transaction group is on disk.
func (p *Pool) wait(txg uint64) {
	p.syncing.Lock()
	defer p.syncing.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done >= txg {
		return
	}
	p.disk = p.open.clone()
	p.done = p.txg
	p.txg++
}

// HoldSync keeps transaction groups from getting to disk, so that a test can gather
// calls in one.
func (p *Pool) HoldSync() { p.syncing.Lock() }

// ReleaseSync ends that.
func (p *Pool) ReleaseSync() { p.syncing.Unlock() }
