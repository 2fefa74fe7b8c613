package command

import (
	"context"
	"slices"
	"syscall"

	"github.com/containerd/errdefs"

	"jailshim/snapshotter-zfs/engine"
)

// Get implements [engine.Engine].
func (e *Engine) Get(ctx context.Context, name string) (engine.Dataset, error) {
	if err := engine.CheckName(engine.OpGet, name); err != nil {
		return engine.Dataset{}, err
	}
	objects, err := e.get(ctx, engine.OpGet, name, false)
	if err != nil {
		return engine.Dataset{}, err
	}
	list, err := e.datasets(ctx, engine.OpGet, name, objects)
	if err != nil {
		return engine.Dataset{}, err
	}
	if len(list) != 1 {
		return engine.Dataset{}, engine.NewError(engine.OpGet, name, syscall.ENOENT, "")
	}
	return list[0], nil
}

// List implements [engine.Engine].
func (e *Engine) List(ctx context.Context, root string) ([]engine.Dataset, error) {
	if err := engine.CheckDataset(engine.OpList, root); err != nil {
		return nil, err
	}
	objects, err := e.get(ctx, engine.OpList, root, true)
	if err != nil {
		return nil, err
	}
	// Volumes, and their snapshots.
	volumes := map[string]bool{}
	for _, o := range objects {
		if kind := o.props["type"].text; kind != typeFilesystem && kind != typeSnapshot {
			volumes[o.name] = true
		}
	}
	if volumes[root] {
		return nil, notFileSystem(engine.OpList, root, typeVolume)
	}
	objects = slices.DeleteFunc(objects, func(o object) bool {
		return volumes[o.name] || engine.IsSnapshot(o.name) && volumes[engine.Parent(o.name)]
	})
	list, err := e.datasets(ctx, engine.OpList, root, objects)
	if err != nil {
		return nil, err
	}
	engine.Sort(list)
	return list, nil
}

// get asks for all properties of something and, if deep, of all below.
func (e *Engine) get(ctx context.Context, op, name string, deep bool) ([]object, error) {
	objects, err := e.ask(ctx, op, name, deep, "all")
	if err != nil || e.modern {
		return objects, err
	}
	// zfs-fuse leaves these out.
	more, err := e.ask(ctx, op, name, deep, "guid,createtxg")
	if err != nil {
		return nil, err
	}
	found := map[string]object{}
	for _, o := range more {
		found[o.name] = o
	}
	complete := objects[:0]
	for _, o := range objects {
		if m, ok := found[o.name]; ok { // else it has gone meanwhile
			o.props["guid"], o.props["createtxg"] = m.props["guid"], m.props["createtxg"]
			complete = append(complete, o)
		}
	}
	return complete, nil
}

func (e *Engine) ask(ctx context.Context, op, name string, deep bool, props string) ([]object, error) {
	e.alone.RLock()
	defer e.alone.RUnlock()
	args := []string{"get", "-Hp", "-o", columns}
	if deep {
		args = append(args, "-r")
	}
	if deep && e.modern {
		args = append(args, "-t", "filesystem,snapshot,volume") // no bookmarks
	}
	out, err := e.do(ctx, op, name, append(args, props, name)...)
	if err != nil {
		return nil, err
	}
	objects, err := parse(out)
	if err != nil {
		return nil, &engine.Error{Op: op, Object: name, Detail: err.Error(), Class: errdefs.ErrInternal}
	}
	return objects, nil
}

func (e *Engine) datasets(ctx context.Context, op, name string, objects []object) ([]engine.Dataset, error) {
	list := make([]engine.Dataset, 0, len(objects))
	snapshots := false
	for _, o := range objects {
		if kind := o.props["type"].text; kind != typeFilesystem && kind != typeSnapshot {
			return nil, notFileSystem(op, o.name, kind)
		}
		d, err := o.dataset()
		if err != nil {
			return nil, &engine.Error{Op: op, Object: name, Detail: err.Error(), Class: errdefs.ErrInternal}
		}
		list = append(list, d)
		snapshots = snapshots || d.Snapshot
	}
	if snapshots && !e.modern {
		all, err := e.ask(ctx, op, engine.Pool(name), true, "origin")
		if err != nil {
			return nil, err
		}
		countClones(list, all)
	}
	return list, nil
}
