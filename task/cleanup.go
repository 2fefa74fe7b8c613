package task

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	taskapi "github.com/containerd/containerd/api/runtime/task/v2"
	"github.com/containerd/errdefs"
	"github.com/containerd/errdefs/pkg/errgrpc"
	"github.com/containerd/ttrpc"
)

const (
	// cleanupTimeout bounds a cleanup; containerd grants a delete five seconds.
	cleanupTimeout = 4 * time.Second
	// answerTimeout bounds each call to a shim that is still there.
	answerTimeout = time.Second
)

// killedStatus is the status of a process that a cleanup killed, or of which
// nothing is known but that its shim died: 128 + SIGKILL.
const killedStatus = 128 + int(syscall.SIGKILL)

// Cleanup names a container that containerd lost the shim of.
type Cleanup struct {
	Namespace  string
	ID         string
	Bundle     string // need not exist
	StateDir   string
	NewRuntime RuntimeFunc
	// Shims returns the names of the shims that the container leader started,
	// as far as they live or have left something.
	Shims func(leader string) []string
	// ShimSocket returns the socket of the shim with this name, if it still
	// listens there, else an empty string.
	ShimSocket func(name string) string
	// RemoveShim removes what that shim itself left, once it is dead.
	RemoveShim func(name string) error
}

// Run removes what a dead shim left of the container, and of every other one
// that the same shim served: containerd asks for one of a group only. It may be
// repeated, and works with the bundle gone. It returns the pid and the recorded
// status of the container's init, 137 and now if there is no record of an exit.
//
// A shim that still answers is asked to end this one container instead.
func (k *Cleanup) Run(ctx context.Context) (pid, status int, at time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, cleanupTimeout)
	defer cancel()
	pid, status, at = 0, killedStatus, time.Now()
	rec, err := readRecord(k.StateDir, k.Namespace, k.ID)
	if errors.Is(err, fs.ErrNotExist) {
		return pid, status, at, k.removeLost(ctx)
	}
	if err != nil {
		return pid, status, at, err
	}
	if rec.Exit != nil {
		status, at = rec.Exit.Status, rec.Exit.At
	}
	if rt, err := k.NewRuntime(rec.Namespace, rec.Options); err == nil {
		pid = rt.Pid(rec.ID, rec.Bundle)
	}
	dead, known, err := k.askShim(ctx, rec.Shim)
	if dead {
		return pid, status, at, k.removeGroup(ctx, rec.Shim)
	}
	if err == nil && !known {
		err = k.removeUnknown(ctx, rec)
	}
	return pid, status, at, err
}

// removeUnknown removes one container that the shim which answers does not know:
// it could not take back a create that failed, or is another one than its record
// tells of. What it serves else is no business of ours.
func (k *Cleanup) removeUnknown(ctx context.Context, rec *record) error {
	now, err := readRecord(k.StateDir, k.Namespace, k.ID)
	if errors.Is(err, fs.ErrNotExist) || err == nil && now.Shim != rec.Shim {
		return nil // it was removed meanwhile, and may have been made anew
	}
	if err != nil {
		return err
	}
	return k.remove(ctx, now)
}

// removeLost ends what there may be of a container without a record: it was never
// created, or removed already. It may yet have started a shim that serves others.
func (k *Cleanup) removeLost(ctx context.Context) error {
	// Once shims had the id of that container for a name.
	shims := append(k.Shims(k.ID), k.ID)
	var errs []error
	dead := shims[:0]
	for _, name := range shims {
		gone, _, err := k.askShim(ctx, name)
		if gone {
			dead = append(dead, name)
			continue
		}
		errs = append(errs, err)
	}
	if len(dead) == len(shims) && rootMounted(k.Bundle) {
		// Somebody has removed our records, but not the container.
		if err := k.remove(ctx, &record{Namespace: k.Namespace, ID: k.ID, Bundle: k.Bundle}); err != nil {
			return err
		}
	}
	for _, name := range dead {
		errs = append(errs, k.removeGroup(ctx, name))
	}
	return errors.Join(errs...)
}

// removeGroup removes all containers of a dead shim, and its temporary files.
func (k *Cleanup) removeGroup(ctx context.Context, shim string) error {
	records, err := listRecords(k.StateDir, k.Namespace)
	if err != nil {
		return err
	}
	// Containerd asks for each of the group at the same time: when everybody
	// begins with its own, there is little left that two do at once.
	if i := slices.IndexFunc(records, func(r *record) bool { return r.ID == k.ID }); i > 0 {
		records[0], records[i] = records[i], records[0]
	}
	var errs []error
	for _, r := range records {
		if r.Shim != shim {
			continue
		}
		if _, err := readRecord(k.StateDir, k.Namespace, r.ID); errors.Is(err, fs.ErrNotExist) {
			continue // another call has removed it meanwhile
		}
		if err := k.remove(ctx, r); err != nil {
			errs = append(errs, fmt.Errorf("remove container %q: %w", r.ID, err))
		}
	}
	errs = append(errs, k.RemoveShim(shim))
	return errors.Join(errs...)
}

// rootMounted reports whether a file system is mounted as the bundle's root.
func rootMounted(bundle string) bool {
	var outer, inner syscall.Stat_t
	return syscall.Stat(bundle, &outer) == nil &&
		syscall.Stat(filepath.Join(bundle, "rootfs"), &inner) == nil &&
		outer.Dev != inner.Dev
}

func (k *Cleanup) remove(ctx context.Context, r *record) error {
	rt, err := k.NewRuntime(r.Namespace, r.Options)
	if err != nil {
		return err
	}
	if err := rt.Remove(ctx, r.ID, r.Bundle); err != nil {
		return err
	}
	return r.remove(k.StateDir)
}

// dyingPause is how long a shim that is just ending is left alone before it is looked at
// again.
const dyingPause = 5 * time.Millisecond

// askShim is endThrough for the shim of a name, unless that is dead, or dies meanwhile: the
// kernel closes what a killed process had open one by one, its connections before the lock
// that tells that it lives.
func (k *Cleanup) askShim(ctx context.Context, name string) (dead, known bool, err error) {
	for {
		socket := k.ShimSocket(name)
		if socket == "" {
			return true, false, nil
		}
		known, err = endThrough(ctx, socket, k.ID)
		if !errors.Is(err, errShimEnds) {
			return false, known, err
		}
		select {
		case <-ctx.Done():
			return false, known, err
		case <-time.After(dyingPause):
		}
	}
}

// errShimEnds is an error of a shim that closes its connections.
var errShimEnds = errors.New("the shim is ending")

// ends reports whether an error is that of a connection which the other side closed, or
// which there is nobody to make with any more.
func ends(err error) bool {
	return slices.ContainsFunc([]error{ttrpc.ErrClosed, io.EOF, syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EPIPE, syscall.ENOENT},
		func(target error) bool { return errors.Is(err, target) })
}

// endThrough makes a living shim kill and delete one container, and end if that
// was its last one. It returns whether the shim knew the container. One that it is
// just creating is left to it: its client is gone, so it takes that back.
func endThrough(ctx context.Context, socket, id string) (known bool, err error) {
	conn, err := net.DialTimeout("unix", socket, answerTimeout)
	if ends(err) {
		return false, fmt.Errorf("%w: %w", errShimEnds, err)
	}
	if err != nil {
		return false, err
	}
	client := ttrpc.NewClient(conn)
	defer client.Close()
	shim := taskapi.NewTTRPCTaskClient(client)
	for _, step := range []struct {
		name string
		call func(context.Context) error
	}{
		{"kill", func(ctx context.Context) error {
			_, err := shim.Kill(ctx, &taskapi.KillRequest{ID: id, Signal: uint32(syscall.SIGKILL), All: true})
			if errdefs.IsUnavailable(errgrpc.ToNative(err)) {
				known, err = true, nil
			}
			return err
		}},
		{"wait", func(ctx context.Context) error {
			_, err := shim.Wait(ctx, &taskapi.WaitRequest{ID: id})
			return err
		}},
		{"delete", func(ctx context.Context) error {
			_, err := shim.Delete(ctx, &taskapi.DeleteRequest{ID: id})
			known = known || err == nil
			return err
		}},
		{"shutdown", func(ctx context.Context) error {
			_, err := shim.Shutdown(ctx, &taskapi.ShutdownRequest{ID: id})
			return err
		}},
	} {
		stepCtx, cancel := context.WithTimeout(ctx, answerTimeout)
		err := step.call(stepCtx)
		cancel()
		if ends(err) {
			return known, fmt.Errorf("%w: %w", errShimEnds, err)
		}
		err = errgrpc.ToNative(err)
		if err != nil && !errdefs.IsNotFound(err) {
			return known, fmt.Errorf("the shim on %s is alive but does not %s the container: %w", socket, step.name, err)
		}
	}
	if known {
		slog.Warn("the shim is alive; it has ended the container", "container", id)
	}
	return known, nil
}
