package ioctl

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/containerd/errdefs"

	"jailshim/snapshotter-zfs/engine"
	"jailshim/snapshotter-zfs/nvlist"
)

// Get implements [engine.Engine].
func (e *Engine) Get(ctx context.Context, name string) (engine.Dataset, error) {
	if err := engine.CheckName(engine.OpGet, name); err != nil {
		return engine.Dataset{}, err
	}
	rep, err := e.do(ctx, engine.OpGet, name, request{number: iocObjsetStats, name: name, dstSize: firstDst})
	if err != nil {
		return engine.Dataset{}, err
	}
	d, err := fromStats(name, rep)
	if err != nil {
		return engine.Dataset{}, &engine.Error{Op: engine.OpGet, Object: name, Detail: err.Error(), Class: errdefs.ErrInternal}
	}
	if rep.stats.kind != objsetFilesystem {
		return engine.Dataset{}, notFilesystem(engine.OpGet, name)
	}
	return d, nil
}

// fromStats reads the reply of a call that tells of one dataset.
func fromStats(name string, rep reply) (engine.Dataset, error) {
	d := engine.Dataset{
		Name: name, Snapshot: rep.stats.snapshot, GUID: rep.stats.guid, CreateTXG: rep.stats.createTXG,
		Origin: rep.stats.origin, Props: map[string]string{},
	}
	told := map[string]nvlist.List{}
	for _, p := range rep.dst {
		if l, ok := p.Value.(nvlist.List); ok {
			told[p.Name] = l
		}
	}
	for _, n := range []struct {
		name     string
		to       *uint64
		required bool
	}{
		{"used", &d.Used, true}, {"referenced", &d.Referenced, true}, {"written", &d.Written, false}, {"available", &d.Available, true},
	} {
		v, ok := nvlist.Number(told[n.name], "value")
		if !ok && n.required {
			return engine.Dataset{}, fmt.Errorf("ZFS does not tell %q of %q", n.name, name)
		}
		*n.to = v
	}
	for prop, l := range told {
		if source, _ := nvlist.Value[string](l, "source"); source == name {
			for _, p := range l {
				if p.Name == "value" {
					setLocal(d.Props, prop, p.Value)
				}
			}
		}
	}
	if d.Snapshot {
		d.Clones, d.Available, d.Origin = int(rep.stats.clones), 0, ""
		deferred, _ := nvlist.Number(told["defer_destroy"], "value")
		d.DeferDestroy = deferred != 0
		return d, nil
	}
	d.Mountpoint = mountpoint(name, told["mountpoint"])
	return d, nil
}

// mountpoint is where a file system is to be mounted: what it is told is the value of
// the one that has it locally.
func mountpoint(name string, told nvlist.List) string {
	value, ok := nvlist.Value[string](told, "value")
	if !ok {
		return "/" + name
	}
	source, _ := nvlist.Value[string](told, "source")
	below, ok := strings.CutPrefix(name, source+"/")
	if !strings.HasPrefix(value, "/") || !ok {
		return value
	}
	return path.Join(value, below)
}

// setLocal notes a local property, if it is one that engines tell.
func setLocal(props map[string]string, name string, value any) {
	native, isNative := engine.NativeProps[name]
	if !isNative && !engine.IsUserProp(name) {
		return
	}
	var text string
	switch v := value.(type) {
	case string:
		text = v
	case uint64:
		text = native.Text(v)
	default:
		return
	}
	if native.Default == "" || text != native.Default {
		props[name] = text
	}
}

func notFilesystem(op, name string) error {
	return &engine.Error{Op: op, Object: name, Detail: "it is not a file system", Class: errdefs.ErrInvalidArgument}
}
