package command

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"syscall"

	"github.com/containerd/errdefs"

	"jailshim/snapshotter-zfs/engine"
)

// Create implements [engine.Engine].
func (e *Engine) Create(ctx context.Context, name string, props map[string]string) error {
	if err := engine.CheckDataset(engine.OpCreate, name); err != nil {
		return err
	}
	if err := engine.CheckProps(engine.OpCreate, name, props); err != nil {
		return err
	}
	_, err := e.do(ctx, engine.OpCreate, name, append(append([]string{"create"}, options(props)...), name)...)
	return err
}

// Clone implements [engine.Engine].
func (e *Engine) Clone(ctx context.Context, snapshot, name string, props map[string]string) error {
	if err := engine.CheckSnapshot(engine.OpClone, snapshot); err != nil {
		return err
	}
	if err := engine.CheckDataset(engine.OpClone, name); err != nil {
		return err
	}
	if err := engine.CheckProps(engine.OpClone, name, props); err != nil {
		return err
	}
	_, err := e.do(ctx, engine.OpClone, name, append(append([]string{"clone"}, options(props)...), snapshot, name)...)
	return err
}

// Snapshot implements [engine.Engine].
func (e *Engine) Snapshot(ctx context.Context, names []string, props map[string]string) error {
	if err := engine.CheckSnapshots(names); err != nil {
		return err
	}
	if err := engine.CheckProps(engine.OpSnapshot, names[0], props); err != nil {
		return err
	}
	leave, err := e.gate.Enter(ctx, engine.OpSnapshot, names[0])
	if err != nil {
		return err
	}
	defer leave()
	if len(names) > 1 && !e.modern {
		return engine.NewError(engine.OpSnapshot, names[0], syscall.ENOTSUP, "zfs-fuse cannot make several snapshots together")
	}
	_, text, err := e.run(slices.Concat([]string{"snapshot"}, options(props), names)...)
	if err != nil {
		return e.failed(engine.OpSnapshot, atFault(text, names), text, err)
	}
	return nil
}

// Destroy implements [engine.Engine].
func (e *Engine) Destroy(ctx context.Context, names []string, deferred bool) error {
	for _, name := range names {
		if err := engine.CheckDestroy(name); err != nil {
			return err
		}
	}
	var failed []*engine.Error
	for _, name := range names {
		err := e.destroy(ctx, name, deferred)
		var one *engine.Error
		switch {
		case err == nil:
		case errors.As(err, &one):
			failed = append(failed, one)
		default: // the context's; what is left is not tried
			return errors.Join(err, engine.Batch(names, failed))
		}
	}
	return engine.Batch(names, failed)
}

func (e *Engine) destroy(ctx context.Context, name string, deferred bool) error {
	if !e.modern {
		// To zfs-fuse, what is being listed is busy.
		e.alone.Lock()
		defer e.alone.Unlock()
	}
	if engine.IsSnapshot(name) {
		args := []string{"destroy"}
		if deferred {
			args = append(args, "-d")
		}
		_, err := e.do(ctx, engine.OpDestroy, name, append(args, name)...)
		return err
	}
	// zfs(8) would unmount it.
	out, err := e.do(ctx, engine.OpDestroy, name, "get", "-H", "-o", "value", "mounted", name)
	if err != nil {
		return err
	}
	if mounted := lines(out); len(mounted) == 1 && mounted[0] == "yes" {
		return engine.NewError(engine.OpDestroy, name, syscall.EBUSY, "it is mounted")
	}
	_, err = e.do(ctx, engine.OpDestroy, name, "destroy", name)
	return err
}

// Rollback implements [engine.Engine].
func (e *Engine) Rollback(ctx context.Context, dataset, snapshot string) error {
	if err := engine.CheckRollback(dataset, snapshot); err != nil {
		return err
	}
	_, err := e.do(ctx, engine.OpRollback, dataset, "rollback", snapshot)
	return err
}

// SetProps implements [engine.Engine].
func (e *Engine) SetProps(ctx context.Context, name string, props map[string]string) error {
	if err := engine.CheckName(engine.OpSetProps, name); err != nil {
		return err
	}
	if err := engine.CheckProps(engine.OpSetProps, name, props); err != nil {
		return err
	}
	set, removed := split(props)
	commands := make([][]string, 0, len(props))
	if e.modern && len(set) > 0 {
		commands = append(commands, append([]string{"set"}, set...))
	} else {
		for _, s := range set {
			commands = append(commands, []string{"set", s})
		}
	}
	for _, r := range removed {
		commands = append(commands, []string{"inherit", r})
	}
	for _, c := range commands {
		if _, err := e.do(ctx, engine.OpSetProps, name, append(c, name)...); err != nil {
			return err
		}
	}
	return nil
}

// split tells what is to be set, as zfs(8) takes it, from what is to be inherited.
func split(props map[string]string) (set, removed []string) {
	toSet := map[string]string{}
	for name, value := range props {
		switch {
		case value != "":
			toSet[name] = value
		case engine.NativeProps[name].Default == "0":
			toSet[name] = "none" // a quota; "0" is refused by zfs-fuse
		case engine.NativeProps[name].Default != "":
			toSet[name] = engine.NativeProps[name].Default
		default:
			removed = append(removed, name)
		}
	}
	slices.Sort(removed)
	return assignments(toSet), removed
}

// assignments are properties as zfs(8) takes them, in order.
func assignments(props map[string]string) []string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(props)) {
		list = append(list, name+"="+props[name])
	}
	return list
}

// notFileSystem is the error for a volume.
func notFileSystem(op, name, kind string) error {
	return &engine.Error{Op: op, Object: name, Detail: fmt.Sprintf("it is a %s", kind), Class: errdefs.ErrInvalidArgument}
}
