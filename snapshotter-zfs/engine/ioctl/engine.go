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

// atOnce is how many calls wait in the kernel at the same time, each with a thread.
// They share transaction groups, so more would not be faster.
const atOnce = 32

// Engine talks to the ZFS kernel module.
type Engine struct {
	t      transport
	gate   *engine.Gate
	caps   engine.Capabilities
	clones clones
}

var _ engine.Engine = (*Engine)(nil)

// Open finds out what ZFS can do for a pool, which must be imported (Unavailable, as
// without the kernel module). It needs root.
func Open(ctx context.Context, pool string) (*Engine, error) {
	if err := engine.CheckDataset(engine.OpOpen, pool); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("%s %q: %w", engine.OpOpen, pool, err)
	}
	t, err := openTransport()
	if err != nil {
		return nil, openError(pool, err)
	}
	return open(t, pool)
}

// openError tells why there is no /dev/zfs.
func openError(pool string, err error) *engine.Error {
	e := &engine.Error{Op: engine.OpOpen, Object: pool, Detail: device + ": " + err.Error(), Class: errdefs.ErrUnavailable}
	var errno syscall.Errno
	switch {
	case errors.Is(err, engine.ErrUnsupported):
		e.Class, e.Detail = errdefs.ErrNotImplemented, err.Error()
	case errors.As(err, &errno) && errno == syscall.ENOENT:
		e.Detail, e.Errno = `no `+device+`: load the kernel module, with "kldload zfs" or "modprobe zfs"`, errno
	case errors.As(err, &errno):
		e.Detail, e.Errno, e.Class = device, errno, engine.Class(engine.OpOpen, errno)
	}
	return e
}

// open takes over t.
func open(t transport, pool string) (*Engine, error) {
	e := &Engine{t: t, gate: engine.NewGate(atOnce), caps: engine.Capabilities{Engine: "ioctl", SnapshotMany: true, Written: true, SnapshotMounts: true}}
	if err := e.probe(pool); err != nil {
		return nil, errors.Join(err, t.close())
	}
	return e, nil
}

// probe asks ZFS what it has.
func (e *Engine) probe(pool string) error {
	if _, err := e.call(engine.OpOpen, pool, request{number: iocObjsetStats, name: pool, simple: true}); err != nil {
		return err
	}
	result, err := e.program(engine.OpOpen, pool, program{text: probeProgram})
	var failed *engine.Error
	switch {
	case err == nil:
		e.caps.Programs = true
		e.caps.CloneInProgram, _ = nvlist.Value[bool](result, "clone")
		return nil
	case errors.As(err, &failed) && (errors.Is(failed.Class, errdefs.ErrNotImplemented) || errors.Is(failed.Class, errdefs.ErrPermissionDenied) || errors.Is(failed.Class, errdefs.ErrInvalidArgument)):
		return nil // ZFS from before 0.8, or not for us
	default:
		return err
	}
}

// Capabilities implements [engine.Engine].
func (e *Engine) Capabilities() engine.Capabilities { return e.caps }

// Close implements [engine.Engine].
func (e *Engine) Close() error {
	if !e.gate.Close() {
		return nil
	}
	return e.t.close()
}

// call makes a call, and an error of its errno. The reply is there in both cases.
func (e *Engine) call(op, object string, r request) (reply, error) {
	rep, errno, err := exchange(e.t, r)
	if err != nil {
		return rep, &engine.Error{Op: op, Object: object, Errno: errno, Detail: err.Error(), Class: errdefs.ErrInternal}
	}
	if errno != 0 {
		return rep, e.failed(op, object, errno, "")
	}
	return rep, nil
}

// failed makes an error of an errno. It tells a pool that is not imported from what is
// missing in one that is.
func (e *Engine) failed(op, object string, errno syscall.Errno, detail string) *engine.Error {
	failed := engine.NewError(op, object, errno, detail)
	if !errors.Is(failed.Class, errdefs.ErrNotFound) {
		return failed
	}
	pool := engine.Pool(object)
	_, errno, err := exchange(e.t, request{number: iocObjsetStats, name: pool, simple: true})
	if err == nil && errno == syscall.ENOENT {
		failed.Class = errdefs.ErrUnavailable
		failed.Detail = fmt.Sprintf("pool %q is not imported; see zpool-import(8)", pool)
	}
	return failed
}

// do makes a call once it has its turn.
func (e *Engine) do(ctx context.Context, op, object string, r request) (reply, error) {
	leave, err := e.gate.Enter(ctx, op, object)
	if err != nil {
		return reply{}, err
	}
	defer leave()
	return e.call(op, object, r)
}
