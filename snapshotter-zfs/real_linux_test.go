package zfs

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/containerd/containerd/v2/core/mount"
	"github.com/containerd/errdefs"

	"jailshim/snapshotter-zfs/engine"
	"jailshim/snapshotter-zfs/engine/command"
	"jailshim/snapshotter-zfs/zfstest"
)

// fuseMounter is the mounter of Linux for zfs-fuse, which has no mount -t zfs: it mounts
// a file system where its property says.
type fuseMounter struct{ linuxMounter }

func (fuseMounter) Mount(_ context.Context, source, target string) error {
	if err := zfsCommand("set", "mountpoint="+target, source); err != nil {
		return err
	}
	list, err := linuxMounter{}.List()
	if err != nil {
		return err
	}
	// To set it has mounted it, unless it was set before.
	if _, ok := findMounted(list, source); ok {
		return nil
	}
	return zfsCommand("mount", source)
}

func (fuseMounter) Direct(string) (mount.Mount, bool) { return mount.Mount{}, false }

func zfsCommand(args ...string) error {
	out, err := exec.Command("zfs", args...).CombinedOutput()
	if err != nil && strings.Contains(string(out), "already mounted") {
		return fmt.Errorf("zfs %s: %w", strings.Join(args, " "), errdefs.ErrFailedPrecondition)
	}
	if err != nil {
		return fmt.Errorf("zfs %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

// realMounter is the mounter of the ZFS that tests have.
func realMounter() Mounter { return fuseMounter{} }

// realOpen opens the engine of the ZFS that tests have.
func realOpen(ctx context.Context, pool string) (engine.Engine, error) {
	e, err := command.Open(ctx, pool, command.Config{})
	if err != nil {
		return nil, err
	}
	return fuseEngine{e}, nil
}

// fuseEngine is zfs-fuse's. That hears of an unmount later than the one who unmounted,
// and what it sets back meanwhile is an I/O error to it.
type fuseEngine struct{ engine.Engine }

func (e fuseEngine) Rollback(ctx context.Context, dataset, snapshot string) error {
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		err := e.Engine.Rollback(ctx, dataset, snapshot)
		if err == nil || !strings.Contains(err.Error(), "I/O error") || time.Now().After(deadline) {
			return err
		}
	}
}

func (w *realWorld) fail(tb testing.TB) {
	tb.Helper()
	zfstest.Kill(tb)
	zfstest.Restart(tb)
}

// within gives f the folder that mounts show, so that nothing needs to be mounted.
func (w *realWorld) within(tb testing.TB, mounts []mount.Mount, f func(folder string)) {
	tb.Helper()
	if m := mounts[0]; m.Type == "bind" {
		f(m.Source)
		return
	}
	tb.Fatalf("unexpected mounts %v", mounts)
}
