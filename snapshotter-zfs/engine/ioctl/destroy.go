package ioctl

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"github.com/containerd/errdefs"

	"jailshim/snapshotter-zfs/engine"
	"jailshim/snapshotter-zfs/nvlist"
)

// perProgram is how many objects one program destroys. It keeps all other changes of
// the pool waiting.
const perProgram = 100

// Destroy implements [engine.Engine].
func (e *Engine) Destroy(ctx context.Context, names []string, deferred bool) error {
	for _, name := range names {
		if err := engine.CheckDestroy(name); err != nil {
			return err
		}
	}
	var failed []*engine.Error
	for _, group := range groups(names, e.groupSize()) {
		leave, err := e.gate.Enter(ctx, engine.OpDestroy, group[0])
		if err != nil {
			var closed *engine.Error
			if errors.As(err, &closed) {
				return err
			}
			return errors.Join(err, engine.Batch(names, failed))
		}
		if e.caps.Programs {
			failed = append(failed, e.destroyInProgram(group, deferred)...)
		} else if one := e.destroyOne(group[0], deferred); one != nil {
			failed = append(failed, one)
		}
		leave()
	}
	return engine.Batch(names, failed)
}

func (e *Engine) groupSize() int {
	if e.caps.Programs {
		return perProgram
	}
	return 1
}

// groups splits names, in their order, into groups of one pool each.
func groups(names []string, size int) [][]string {
	var all [][]string
	for _, name := range names {
		last := len(all) - 1
		if last < 0 || len(all[last]) == size || engine.Pool(all[last][0]) != engine.Pool(name) {
			all = append(all, nil)
			last++
		}
		all[last] = append(all[last], name)
	}
	return all
}

func (e *Engine) destroyInProgram(names []string, deferred bool) []*engine.Error {
	result, err := e.program(engine.OpDestroy, names[0], program{
		text: destroyProgram,
		args: nvlist.List{
			{Name: "names", Value: names},
			{Name: "deferred", Value: deferred},
			{Name: "enoent", Value: int64(syscall.ENOENT)},
		},
		sync: true,
	})
	if err != nil {
		return allFailed(names, err)
	}
	errnos := make([]syscall.Errno, len(names))
	for _, p := range result {
		i, ok := index(p.Name, len(names))
		errno, isNumber := p.Value.(int64)
		if !ok || !isNumber {
			return allFailed(names, fmt.Errorf("a channel program gave %q = %v", p.Name, p.Value))
		}
		errnos[i] = syscall.Errno(errno)
	}
	var failed []*engine.Error
	for i, errno := range errnos {
		if errno != 0 {
			failed = append(failed, e.failed(engine.OpDestroy, names[i], errno, reason(names[i], errno)))
		}
	}
	return failed
}

// allFailed blames all names for an error: what of them a program has destroyed before
// it failed is not known.
func allFailed(names []string, err error) []*engine.Error {
	failed := make([]*engine.Error, 0, len(names))
	for _, name := range names {
		one := &engine.Error{Op: engine.OpDestroy, Object: name, Detail: err.Error(), Class: errdefs.ErrInternal}
		var cause *engine.Error
		if errors.As(err, &cause) {
			one.Errno, one.Detail, one.Class = cause.Errno, cause.Detail, cause.Class
		}
		failed = append(failed, one)
	}
	return failed
}

// destroyOne destroys without a program.
func (e *Engine) destroyOne(name string, deferred bool) *engine.Error {
	_, err := e.call(engine.OpDestroy, name, request{number: iocDestroy, name: name, deferDestroy: deferred && engine.IsSnapshot(name)})
	var failed *engine.Error
	if errors.As(err, &failed) && failed.Detail == "" {
		failed.Detail = reason(name, failed.Errno)
	}
	return failed
}

// reason says what an errno means for what cannot be destroyed.
func reason(name string, errno syscall.Errno) string {
	snapshot := engine.IsSnapshot(name)
	switch {
	case errno == syscall.EEXIST && snapshot:
		return "it has clones"
	case errno == syscall.EEXIST:
		return "it has children"
	case errno == syscall.EBUSY && snapshot:
		return "it is mounted or held"
	case errno == syscall.EBUSY:
		return "it is mounted or has snapshots"
	}
	return ""
}
