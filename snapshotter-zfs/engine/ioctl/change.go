package ioctl

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"syscall"

	"github.com/containerd/errdefs"

	"jailshim/snapshotter-zfs/engine"
	"jailshim/snapshotter-zfs/nvlist"
)

// Create implements [engine.Engine]. The kernel destroys what it has made if it cannot
// set the properties.
func (e *Engine) Create(ctx context.Context, name string, props map[string]string) error {
	if err := engine.CheckDataset(engine.OpCreate, name); err != nil {
		return err
	}
	if err := engine.CheckProps(engine.OpCreate, name, props); err != nil {
		return err
	}
	src := nvlist.List{{Name: "type", Value: int32(objsetFilesystem)}}
	return e.make(ctx, engine.OpCreate, request{number: iocCreate, name: name, src: withProps(src, props)}, "")
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
	if e.caps.CloneInProgram && engine.OnlyUserProps(props) && engine.Pool(snapshot) == engine.Pool(name) {
		return e.cloneInProgram(ctx, snapshot, name, props)
	}
	src := nvlist.List{{Name: "origin", Value: snapshot}}
	return e.make(ctx, engine.OpClone, request{number: iocClone, name: name, src: withProps(src, props)}, fmt.Sprintf("from %q", snapshot))
}

// make makes a dataset.
func (e *Engine) make(ctx context.Context, op string, r request, detail string) error {
	r.dstSize = firstDst
	rep, err := e.do(ctx, op, r.name, r)
	return explained(err, rep.dst, detail)
}

// Snapshot implements [engine.Engine].
func (e *Engine) Snapshot(ctx context.Context, names []string, props map[string]string) error {
	if err := engine.CheckSnapshots(names); err != nil {
		return err
	}
	if err := engine.CheckProps(engine.OpSnapshot, names[0], props); err != nil {
		return err
	}
	snaps := make(nvlist.List, 0, len(names))
	for _, name := range names {
		snaps = append(snaps, nvlist.Pair{Name: name, Value: nvlist.Boolean{}})
	}
	src := withProps(nvlist.List{{Name: "snaps", Value: snaps}}, props)
	rep, err := e.do(ctx, engine.OpSnapshot, names[0], request{number: iocSnapshot, name: engine.Pool(names[0]), src: src, dstSize: firstDst})
	var failed *engine.Error
	if err == nil || !errors.As(err, &failed) {
		return err
	}
	// The reply has the errno of each that could not be made.
	for _, p := range rep.dst {
		if errno, ok := p.Value.(int32); ok && slices.Contains(names, p.Name) {
			return e.failed(engine.OpSnapshot, p.Name, syscall.Errno(errno), "")
		}
	}
	return err
}

// Rollback implements [engine.Engine].
func (e *Engine) Rollback(ctx context.Context, dataset, snapshot string) error {
	if err := engine.CheckRollback(dataset, snapshot); err != nil {
		return err
	}
	_, err := e.do(ctx, engine.OpRollback, dataset, request{
		number: iocRollback, name: dataset, src: nvlist.List{{Name: "target", Value: snapshot}}, dstSize: firstDst,
	})
	var failed *engine.Error
	if errors.As(err, &failed) {
		switch failed.Errno {
		case syscall.ESRCH: // dsl_dataset_rollback_check: the dataset is there, the snapshot is not
			failed.Class, failed.Detail = errdefs.ErrNotFound, fmt.Sprintf("no snapshot %q", snapshot)
		case syscall.EEXIST:
			failed.Detail = fmt.Sprintf("%q is not the newest snapshot", snapshot)
		}
	}
	return err
}

// SetProps implements [engine.Engine]. All that is set is one call, all that is
// inherited one each.
func (e *Engine) SetProps(ctx context.Context, name string, props map[string]string) error {
	if err := engine.CheckName(engine.OpSetProps, name); err != nil {
		return err
	}
	if err := engine.CheckProps(engine.OpSetProps, name, props); err != nil {
		return err
	}
	set, removed := map[string]string{}, []string(nil)
	for _, prop := range slices.Sorted(maps.Keys(props)) {
		switch value := props[prop]; {
		case value != "":
			set[prop] = value
		case engine.NativeProps[prop].Default != "":
			set[prop] = engine.NativeProps[prop].Default
		default:
			removed = append(removed, prop)
		}
	}
	if len(set) > 0 {
		rep, err := e.do(ctx, engine.OpSetProps, name, request{number: iocSetProp, name: name, src: propList(set), dstSize: firstDst})
		if err != nil {
			return explained(err, rep.dst, "")
		}
	}
	for _, prop := range removed {
		_, err := e.do(ctx, engine.OpSetProps, name, request{number: iocInheritProp, name: name, value: prop})
		if err != nil {
			return explained(err, nil, fmt.Sprintf("remove property %q", prop))
		}
	}
	return nil
}

// explained adds to an error what the call was about, and the properties that the
// reply blames.
func explained(err error, blamed nvlist.List, detail string) error {
	var failed *engine.Error
	if !errors.As(err, &failed) || failed.Detail != "" {
		return err
	}
	failed.Detail = detail
	for _, p := range blamed {
		errno, ok := p.Value.(int32)
		if !ok {
			continue
		}
		if failed.Detail != "" {
			failed.Detail += ": "
		}
		failed.Detail += fmt.Sprintf("property %q", p.Name)
		if e := syscall.Errno(errno); e != failed.Errno {
			failed.Detail += " (" + e.Error() + ")"
		}
		break
	}
	return err
}

// withProps adds properties to a request, if there are any.
func withProps(src nvlist.List, props map[string]string) nvlist.List {
	if len(props) == 0 {
		return src
	}
	return append(src, nvlist.Pair{Name: "props", Value: propList(props)})
}

// propList has properties as the kernel takes them. They have been checked.
func propList(props map[string]string) nvlist.List {
	list := make(nvlist.List, 0, len(props))
	for _, name := range slices.Sorted(maps.Keys(props)) {
		var value any = props[name]
		if native, ok := engine.NativeProps[name]; ok && !native.Path {
			if n, err := native.Number(props[name]); err == nil {
				value = n
			}
		}
		list = append(list, nvlist.Pair{Name: name, Value: value})
	}
	return list
}

// index is the number of something in a Lua table, from its key in a list.
func index(key string, n int) (int, bool) {
	i, err := strconv.Atoi(key)
	return i - 1, err == nil && i >= 1 && i <= n
}
