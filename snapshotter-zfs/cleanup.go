package zfs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
	"golang.org/x/sync/errgroup"

	"jailshim/snapshotter-zfs/engine"
)

// Cleanup destroys what was removed. What is still in use stays for the next time.
func (s *Snapshotter) Cleanup(ctx context.Context) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if err := s.evict(); err != nil {
		return fmt.Errorf("clean up: %w", err)
	}
	if err := s.collect(ctx); err != nil {
		return fmt.Errorf("clean up: %w", err)
	}
	return nil
}

// collect destroys volumes and snapshots without a record, and sets heads back that
// nobody needs.
func (s *Snapshotter) collect(ctx context.Context) error {
	s.cleaning.Lock()
	defer s.cleaning.Unlock()
	errs := []error{s.unmountIdle(ctx)}
	doomed, names := s.doomed()
	if len(names) > 0 {
		s.step("destroy")
		errs = append(errs, s.destroyed(doomed, names, s.engine.Destroy(ctx, names, false)))
	}
	errs = append(errs, s.rollbackAll(ctx, s.dirtyHeads()))
	return errors.Join(errs...)
}

// doomed reserves the volumes and snapshots that are to be destroyed, and returns their
// names in the order in which that is possible: what was made later can be based on what
// was made earlier, never the other way round.
func (s *Snapshotter) doomed() (volumes []*volume, names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range s.index.volumes {
		volumes = append(volumes, v)
	}
	slices.SortFunc(volumes, func(a, b *volume) int {
		if b.id.less(a.id) {
			return -1
		}
		return 1
	})
	volumes = slices.DeleteFunc(volumes, func(v *volume) bool {
		n := len(names)
		for _, sn := range v.snaps {
			if sn.rec == nil {
				names = append(names, s.full(v.name+"@"+sn.id))
			}
		}
		if !v.used() {
			v.owner = ownerCleanup
			names = append(names, s.full(v.name))
		}
		return len(names) == n
	})
	return volumes, names
}

// destroyed takes what was destroyed from the index, and returns what is wrong with the
// rest. That something is in use is not wrong.
func (s *Snapshotter) destroyed(volumes []*volume, names []string, err error) error {
	failed, err := failures(err)
	s.mu.Lock()
	defer s.mu.Unlock()
	gone := map[string]bool{}
	for _, name := range names {
		gone[name] = err == nil && failed[name] == nil
	}
	var errs []error
	for _, v := range volumes {
		v.snaps = slices.DeleteFunc(v.snaps, func(sn snap) bool { return sn.rec == nil && gone[s.full(v.name+"@"+sn.id)] })
		if v.owner == ownerCleanup {
			v.owner = ""
		}
		if gone[s.full(v.name)] {
			delete(s.index.volumes, v.name)
		}
	}
	for name, e := range failed {
		if !errdefs.IsFailedPrecondition(e) {
			errs = append(errs, e)
			continue
		}
		s.warnBusyLocked(name, e)
	}
	return errors.Join(append(errs, err)...)
}

func (s *Snapshotter) warnBusyLocked(name string, err error) {
	o, _ := ours(s.config.Dataset, name)
	if v := s.index.volumes[o.volume]; v != nil && !v.warned {
		v.warned = true
		s.log.Warn("can't be destroyed yet, each cleanup tries again", "dataset", name, "error", err)
	}
}

// failures splits the error of a Destroy: what could not be destroyed, by name, and what
// else was wrong. That something is gone already is no failure.
func failures(err error) (map[string]error, error) {
	failed := map[string]error{}
	var batch *engine.BatchError
	var one *engine.Error
	switch {
	case err == nil:
		return nil, nil
	case errors.As(err, &batch):
		for _, e := range batch.Failed {
			if !errdefs.IsNotFound(e) {
				failed[e.Object] = e
			}
		}
	case errors.As(err, &one) && !errdefs.IsUnavailable(err):
		if !errdefs.IsNotFound(err) {
			failed[one.Object] = one
		}
	default:
		return nil, err
	}
	return failed, nil
}

// dirtyHeads reserves the heads that are to be set back: what was unpacked and not
// committed takes space.
func (s *Snapshotter) dirtyHeads() []*volume {
	s.mu.Lock()
	defer s.mu.Unlock()
	var dirty []*volume
	for _, v := range s.index.volumes {
		if v.dirty && v.owner == "" && v.newest() != nil && v.newest().rec != nil {
			v.owner = ownerCleanup
			dirty = append(dirty, v)
		}
	}
	return dirty
}

// maxCalls is how many calls of the engine run at the same time. Each blocks a thread.
const maxCalls = 32

func (s *Snapshotter) rollbackAll(ctx context.Context, volumes []*volume) error {
	if len(volumes) == 0 {
		return nil
	}
	list, err := s.config.Mounter.List()
	var group errgroup.Group
	group.SetLimit(maxCalls)
	for _, v := range volumes {
		group.Go(func() error {
			defer s.releaseHead(v)
			if err != nil || users(list, s.full(v.name), s.privatePath(v.name)) > 0 {
				return nil
			}
			return s.rollback(ctx, v)
		})
	}
	return errors.Join(err, group.Wait())
}

func (s *Snapshotter) releaseHead(v *volume) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v.owner = ""
}

func (s *Snapshotter) rollback(ctx context.Context, v *volume) error {
	s.mu.Lock()
	to := s.full(v.name + "@" + v.newest().id)
	s.mu.Unlock()
	s.step("rollback")
	err := s.engine.Rollback(ctx, s.full(v.name), to)
	if errdefs.IsFailedPrecondition(err) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.warnBusyLocked(s.full(v.name), err)
		return nil
	}
	if err == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		v.dirty = false
	}
	return err
}

// unmountIdle unmounts what we mounted and nobody needs: views that are gone, and heads
// without a snapshot that writes to them.
func (s *Snapshotter) unmountIdle(ctx context.Context) error {
	entries, err := os.ReadDir(filepath.Join(s.config.State, "mnt"))
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		name := strings.ReplaceAll(e.Name(), "+", "/")
		if err := s.unmountPrivate(ctx, name); err != nil && !errdefs.IsFailedPrecondition(err) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
