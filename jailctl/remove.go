package jailctl

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"syscall"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"jailshim/internal/fault"
	"jailshim/jailctl/kernel"
)

const (
	// goneTimeout is how long a removed jail may take to go away. One with a
	// network of its own stays until its last TCP connection has timed out, for
	// minutes; nothing of it is needed any more by then.
	goneTimeout = 300 * time.Millisecond
	// busyTimeout is how long an unmount is repeated before it is forced.
	busyTimeout = 300 * time.Millisecond
	firstPause  = 500 * time.Microsecond
	longPause   = 10 * time.Millisecond
)

// remove takes a container away, whatever of it exists, from its state alone.
// What is already gone is no error, and everything is tried even if something
// fails. The state goes last, so that it can be repeated.
//
// With gone, the jail and the init are known to be. After each step point is called, if it
// is not nil; its error ends the removal.
func (r *Runtime) remove(ctx context.Context, name string, st *State, gone bool, point func(string) error) error {
	if point == nil {
		point = func(string) error { return nil }
	}
	var errs []error
	if !gone {
		errs = append(errs, killInit(st))
	}
	// While the jail is there, what it has of a network can be taken from it: later
	// it comes back by itself, when the jail's last connection has timed out.
	errs = append(errs, r.detachNetwork(ctx, st))
	if err := point(fault.JailDetached); err != nil {
		return err
	}
	var neighbours []string
	if !gone || !st.OwnRoot {
		var err error
		neighbours, err = removeJails(ctx, st)
		errs = append(errs, err)
	}
	if err := point(fault.JailRemoved); err != nil {
		return err
	}
	errs = append(errs, r.returnInterfaces(ctx, st))
	// Who shares the root has mounts on the same folders, and goes on using them.
	if r.sharing(name, st.Root, neighbours) == nil {
		errs = append(errs, unmountAll(ctx, st.Mounts, st.Others))
	}
	if err := point(fault.DeleteUnmounted); err != nil {
		return err
	}
	if err := removeLimits(st.Jail); err != nil {
		errs = append(errs, fmt.Errorf("limits of jail %s: %w", st.Jail, err))
	}
	if err := errors.Join(append(errs, point(fault.JailLimitsRemoved))...); err != nil {
		return err
	}
	if st.Hooked {
		// A hook that fails must not keep the container: runc logs it, too.
		after := *st
		after.JID = 0 // the jail's number may be another's by now
		if err := r.runAllHooks(ctx, "poststop", onHost, st.Poststop, after.oci(specs.StateStopped)); err != nil {
			slog.Warn("hook failed after the container's end", "container", st.ID, "error", err)
		}
	}
	remove := r.store.remove
	if st.Attached {
		remove = r.store.removeFolder
	}
	return errors.Join(remove(name), rootsFolder.forget(ctx, r))
}

// killInit kills an init that is not, or not yet, in a jail: its maker died
// before it attached.
func killInit(st *State) error {
	if !alive(st.Init) {
		return nil
	}
	if err := syscall.Kill(st.Init.Pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("kill the init, process %d: %w", st.Init.Pid, err)
	}
	return nil
}

// alive reports whether a process exists and is the one that was meant. A zombie
// is not alive.
func alive(id ProcessID) bool {
	_, ok := living(id)
	return ok
}

// openOwn returns the container's living jail; nil if there is none. A jail of
// that name with another root is somebody else's.
func openOwn(st *State) (*kernel.Jail, error) {
	j, err := kernel.OpenJail(st.Jail)
	if errors.Is(err, unix.ENOENT) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	values, err := j.Get("path")
	if err != nil {
		return nil, errors.Join(err, j.Close())
	}
	if path := kernel.DecodeString(values["path"]); path != st.Root || st.Root == "" {
		slog.Warn("a jail of the container's name is not the container's", "jail", st.Jail, "path", path)
		return nil, j.Close()
	}
	return j, nil
}

// jailThere reports whether there is a living jail of a name.
func jailThere(name string) (bool, error) {
	j, err := kernel.OpenJail(name)
	if errors.Is(err, unix.ENOENT) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, j.Close()
}

// removeLimits removes the limits of a jail that is gone: they are its name's. If there
// is a jail of that name, it is somebody else's, as are the limits.
func removeLimits(name string) error {
	there, err := jailThere(name)
	if err != nil || there {
		return err
	}
	return kernel.RemoveRules(name)
}

// removeJails removes the jail, which kills all its processes, and waits until
// it is gone, for a while. It returns the names of the living jails that have the same
// root.
func removeJails(ctx context.Context, st *State) (neighbours []string, err error) {
	j, err := openOwn(st)
	if err != nil {
		return nil, err
	}
	if j != nil {
		err := j.Remove()
		if cerr := j.Close(); err == nil {
			err = cerr
		}
		if err != nil && !errors.Is(err, unix.ENOENT) {
			return nil, fmt.Errorf("remove jail %s: %w", st.Jail, err)
		}
	}
	if st.OwnRoot && st.JID != 0 {
		awaitGone(ctx, st.JID)
		return nil, nil
	}
	// Also those that were removed before: by us, by an operator, by a shim
	// that died right after.
	dying, neighbours := jailsAt(st)
	for _, id := range dying {
		awaitGone(ctx, id)
	}
	return neighbours, nil
}

// jailsAt returns the jails whose root is the container's: those that are dying, and its
// own, by their ids, and the others by their names.
func jailsAt(st *State) (dying []int, living []string) {
	if st.JID != 0 {
		dying = append(dying, st.JID)
	}
	if st.Root == "" {
		return dying, nil
	}
	all, err := kernel.Jails(true)
	if err != nil {
		return dying, nil // what follows does not depend on it
	}
	for _, j := range all {
		switch {
		case j.Path != st.Root || j.ID == st.JID:
		case j.Dying:
			dying = append(dying, j.ID)
		case j.Name != st.Jail:
			living = append(living, j.Name)
		}
	}
	return dying, living
}

// sharing returns the state of another container that has a root and one of the jails,
// nil if there is none: bundles may have one root, which is nobody's own then.
func (r *Runtime) sharing(name, root string, jails []string) *State {
	if len(jails) == 0 {
		return nil
	}
	others, err := r.store.names()
	if err != nil {
		return nil
	}
	for _, other := range others {
		if st, err := r.store.read(other); err == nil && other != name && st.Root == root && slices.Contains(jails, st.Jail) {
			return st
		}
	}
	return nil
}

// awaitGone reaps what it can of a removed jail's processes until the jail is
// gone, for a bounded time.
func awaitGone(ctx context.Context, jid int) {
	end := until(ctx, goneTimeout)
	for pause := firstPause; ; pause = min(2*pause, longPause) {
		reapJail(jid, nil)
		s, err := kernel.StateOfJail(jid)
		if err != nil || s != kernel.JailDying || time.Now().After(end) {
			return
		}
		time.Sleep(pause)
	}
}

// reapJail reaps those children of the caller that ended in the jail, but for the
// ones that keep says somebody else waits for. It returns how many are left to
// those.
func reapJail(jid int, keep func(pid int) bool) (left int) {
	for {
		z, err := kernel.WaitJail(jid, true)
		if err != nil || z.Pid == 0 {
			return left
		}
		if keep != nil && keep(z.Pid) {
			// The kernel shows the same one again until it is reaped.
			return left + 1
		}
		if _, err := kernel.WaitPid(z.Pid, false); err != nil {
			return left
		}
	}
}

// mountsWithin returns the mounts on or below a folder.
func mountsWithin(folder string) ([]kernel.FSID, error) {
	all, err := kernel.Mounts()
	if err != nil {
		return nil, err
	}
	var ids []kernel.FSID
	for _, m := range all {
		if within(m.On, folder) {
			ids = append(ids, m.ID)
		}
	}
	return ids, nil
}

// unmountAll undoes every mount on or below the folders but the others, last
// first. A busy one is forced in the end: nothing of the container runs any more
// that could use it.
func unmountAll(ctx context.Context, folders []string, others []kernel.FSID) error {
	if len(folders) == 0 {
		return nil
	}
	all, err := kernel.Mounts()
	if err != nil {
		return err
	}
	var errs []error
	for _, m := range slices.Backward(all) {
		if slices.Contains(others, m.ID) || !slices.ContainsFunc(folders, func(f string) bool { return within(m.On, f) }) {
			continue
		}
		if err := unmount(ctx, &m); err != nil {
			errs = append(errs, fmt.Errorf("unmount %s: %w", m.On, err))
		}
	}
	return errors.Join(errs...)
}

func within(path, folder string) bool {
	return path == folder || strings.HasPrefix(path, strings.TrimSuffix(folder, "/")+"/")
}

func unmount(ctx context.Context, m *kernel.MountInfo) error {
	end := until(ctx, busyTimeout)
	for pause := firstPause; ; pause = min(2*pause, longPause) {
		err := kernel.UnmountID(m.ID, false)
		switch {
		case err == nil, errors.Is(err, unix.ENOENT), errors.Is(err, unix.EINVAL):
			return nil // EINVAL: not mounted any more
		case !errors.Is(err, unix.EBUSY):
			return err
		}
		if time.Now().After(end) {
			break
		}
		time.Sleep(pause)
	}
	err := kernel.UnmountID(m.ID, true)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EINVAL) {
		return nil
	}
	return err
}
