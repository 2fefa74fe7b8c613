package zfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"

	"jailshim/internal/flock"
	"jailshim/snapshotter-zfs/engine"
)

// Two snapshotters with one root would each destroy what the other has made, as left
// over. Two things keep them apart: a lock, which ends with its process, at the same
// time; and the root's owner, a property, one after the other: records that have missed
// what another one did are as bad.

// propOwner is the property of the root that says whose it is: the id of the database,
// and after a space the folder of the state.
const propOwner = "io.jailshim:owner"

// maxHolder is the longest text that is read from a lock.
const maxHolder = 4096

// hold keeps other snapshotters of this machine off the root, until release or the end
// of the process. The lock goes by the dataset's guid, which a rename leaves as it is.
func (s *Snapshotter) hold(root engine.Dataset) error {
	if s.config.Locks == "" || s.held != nil {
		return nil
	}
	if err := os.MkdirAll(s.config.Locks, 0o700); err != nil {
		return fmt.Errorf("make the folder of locks: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(s.config.Locks, strconv.FormatUint(root.GUID, 16)), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("lock dataset %q: %w", s.config.Dataset, err)
	}
	if err := s.lockFile(f); err != nil {
		return errors.Join(err, f.Close())
	}
	s.held = f
	return nil
}

// lockFile locks a file, and writes into it who has it.
func (s *Snapshotter) lockFile(f *os.File) error {
	err := flock.Lock(f, unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		// What it says is for people; the holder may be writing it now.
		holder, _ := io.ReadAll(io.LimitReader(f, maxHolder))
		return fmt.Errorf("dataset %q is used by another snapshotter (%s): end that one, or give this one a dataset of its own: %w",
			s.config.Dataset, holder, errdefs.ErrFailedPrecondition)
	}
	if err != nil {
		return fmt.Errorf("lock dataset %q: %w", s.config.Dataset, err)
	}
	holder := fmt.Sprintf("process %d, state folder %q", os.Getpid(), s.config.State)
	if err := errors.Join(f.Truncate(0), writeAt(f, holder)); err != nil {
		return fmt.Errorf("lock dataset %q: %w", s.config.Dataset, err)
	}
	return nil
}

func writeAt(f *os.File, text string) error {
	_, err := f.WriteAt([]byte(text), 0)
	return err
}

// release ends hold. The file stays: another process may have it open already.
func (s *Snapshotter) release() error {
	if s.held == nil {
		return nil
	}
	return flock.Close(s.held)
}

// claim makes the root ours, or refuses it because it is another's.
func (s *Snapshotter) claim(ctx context.Context, root engine.Dataset) error {
	owner := root.Props[propOwner]
	mine := s.store.id + " " + s.config.State
	if owner == mine {
		return nil
	}
	s.mu.Lock()
	known := s.known
	s.mu.Unlock()
	id, folder, _ := strings.Cut(owner, " ")
	switch {
	case owner == "", id == s.store.id: // nobody's, or the folder was moved
	case folder != s.config.State:
		return fmt.Errorf("dataset %q belongs to the snapshotter with the state folder %q: use that folder, or another dataset; "+
			"if the folder is gone for good, %q gives the dataset to the next that starts, which should have no database yet: %w",
			s.config.Dataset, folder, "zfs inherit "+propOwner+" "+s.config.Dataset, errdefs.ErrFailedPrecondition)
	case known:
		return fmt.Errorf("dataset %q was used with another database since %q was: remove that file, it is made again from ZFS: %w",
			s.config.Dataset, s.store.db.Path(), errdefs.ErrFailedPrecondition)
	}
	return s.engine.SetProps(ctx, s.config.Dataset, map[string]string{propOwner: mine})
}
