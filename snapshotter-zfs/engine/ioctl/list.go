package ioctl

import (
	"context"
	"strings"
	"sync"
	"syscall"

	"github.com/containerd/errdefs"

	"jailshim/snapshotter-zfs/engine"
)

// List implements [engine.Engine], by a call for each dataset. A program could do it in
// one call, and would take three times as long: what costs time is to open a dataset,
// and a program opens it for each property that it asks for.
func (e *Engine) List(ctx context.Context, root string) ([]engine.Dataset, error) {
	if err := engine.CheckDataset(engine.OpList, root); err != nil {
		return nil, err
	}
	leave, err := e.gate.Enter(ctx, engine.OpList, root)
	if err != nil {
		return nil, err
	}
	defer leave()
	rep, err := e.call(engine.OpList, root, request{number: iocObjsetStats, name: root, dstSize: firstDst})
	if err != nil {
		return nil, err
	}
	if rep.stats.kind != objsetFilesystem {
		return nil, notFilesystem(engine.OpList, root)
	}
	w := walk{e: e, busy: make(chan struct{}, walkers)}
	w.visit(root, rep)
	w.wg.Wait()
	if w.err != nil {
		return nil, w.err
	}
	engine.Sort(w.list)
	return w.list, nil
}

// walkers is how many calls one List makes at the same time.
const walkers = 4

// walk goes through the file systems below one.
type walk struct {
	e    *Engine
	busy chan struct{} // has an element for each goroutine
	wg   sync.WaitGroup

	mu   sync.Mutex // guards the fields below
	list []engine.Dataset
	err  error // the first
}

// visit notes a dataset, and all below it.
func (w *walk) visit(name string, rep reply) {
	d, err := fromStats(name, rep)
	if err != nil {
		w.fail(&engine.Error{Op: engine.OpList, Object: name, Detail: err.Error(), Class: errdefs.ErrInternal})
		return
	}
	w.mu.Lock()
	w.list = append(w.list, d)
	failed := w.err != nil
	w.mu.Unlock()
	if d.Snapshot || failed {
		return
	}
	select {
	case w.busy <- struct{}{}:
		// goroutine: the walk's; ends when it has visited what is below; waited for by List.
		w.wg.Go(func() {
			defer func() { <-w.busy }()
			w.below(name)
		})
	default:
		w.below(name)
	}
}

// below visits the snapshots and the children of a file system.
func (w *walk) below(name string) {
	for _, number := range []uint8{iocSnapshotListNext, iocDatasetListNext} {
		if err := w.next(number, name); err != nil {
			w.fail(err)
			return
		}
	}
}

// next visits one kind of them.
func (w *walk) next(number uint8, name string) error {
	var cookie uint64
	for {
		rep, errno, err := exchange(w.e.t, request{number: number, name: name, cookie: cookie, dstSize: firstDst})
		switch {
		case err != nil:
			return &engine.Error{Op: engine.OpList, Object: name, Errno: errno, Detail: err.Error(), Class: errdefs.ErrInternal}
		case errno == syscall.ESRCH: // the end; or the file system has gone meanwhile
			return nil
		case errno == syscall.ENOENT: // so has the one that was to be told
			if rep.cookie == cookie {
				return nil
			}
			cookie = rep.cookie
			continue
		case errno == syscall.EINTR:
			continue
		case errno != 0:
			return w.e.failed(engine.OpList, name, errno, "")
		case rep.cookie == cookie || engine.Parent(rep.name) != name:
			return &engine.Error{Op: engine.OpList, Object: name, Detail: "ZFS lists something else: " + rep.name, Class: errdefs.ErrInternal}
		}
		cookie = rep.cookie
		// Volumes; and what is hidden, as half-received ones are.
		if rep.stats.kind == objsetFilesystem && !strings.ContainsAny(rep.name, "%$") {
			w.visit(rep.name, rep)
		}
	}
}

func (w *walk) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = err
	}
}
