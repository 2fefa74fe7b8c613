package zfs

import (
	"cmp"
	"context"
	"slices"

	"github.com/containerd/containerd/v2/core/snapshots"

	"jailshim/snapshotter-zfs/engine"
)

// Status is the state of a snapshotter.
type Status struct {
	Dataset   string              `json:"dataset"`
	Ready     bool                `json:"ready"`     // the dataset was there, and compared with the records
	Problem   string              `json:"problem"`   // why it is not, or does not answer
	Available uint64              `json:"available"` // bytes that can be written
	Used      uint64              `json:"used"`      // bytes, of all below the root
	Epoch     uint64              `json:"epoch"`     // how often it was started
	Engine    engine.Capabilities `json:"engine"`

	Active    int `json:"active"`
	Views     int `json:"views"`
	Committed int `json:"committed"`
	Volumes   int `json:"volumes"`  // datasets
	LeftOver  int `json:"leftOver"` // datasets and snapshots that the next cleanup destroys

	Kept      int   `json:"kept"`      // layers that containerd removed and we kept
	KeptBytes int64 `json:"keptBytes"` //
}

// Status tells the state. A pool that is not there is part of the state, and no error.
func (s *Snapshotter) Status(ctx context.Context) (Status, error) {
	leave, err := s.enterOpen()
	if err != nil {
		return Status{}, err
	}
	defer leave()
	err = s.ready(ctx)
	st := s.counts()
	if err == nil {
		var root engine.Dataset
		if root, err = s.engine.Get(ctx, s.config.Dataset); err == nil {
			st.Used, st.Available = root.Used, root.Available
		}
	}
	if err != nil {
		st.Ready, st.Problem = false, err.Error()
	}
	return st, nil
}

func (s *Snapshotter) counts() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := Status{Dataset: s.config.Dataset, Ready: s.attached, Epoch: s.epoch, Volumes: len(s.index.volumes), Kept: len(s.index.cache)}
	if s.attached {
		st.Engine = s.engine.Capabilities()
	}
	for _, n := range s.index.nodes {
		switch n.Kind {
		case snapshots.KindActive:
			st.Active++
		case snapshots.KindView:
			st.Views++
		case snapshots.KindCommitted:
			st.Committed++
		}
	}
	for _, n := range s.index.cache {
		st.KeptBytes += n.Size
	}
	for _, v := range s.index.volumes {
		if !v.used() {
			st.LeftOver++
		}
		for _, sn := range v.snaps {
			if sn.rec == nil {
				st.LeftOver++
			}
		}
	}
	return st
}

// Entry is what one snapshot takes.
type Entry struct {
	Key     string         `json:"key"`
	Kind    snapshots.Kind `json:"kind"`
	Dataset string         `json:"dataset"` // the file system or snapshot; "" for a view
	Size    int64          `json:"size"`    // bytes, without the parent
	Inodes  int64          `json:"inodes"`  // without the parent's
	Kept    bool           `json:"kept"`    // containerd has removed it
}

// Entries tells what each snapshot takes, the largest first.
func (s *Snapshotter) Entries(ctx context.Context) ([]Entry, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	usage, err := s.readUsage(ctx)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var entries []Entry
	for key, n := range s.index.nodes {
		e := Entry{Key: key, Kind: n.Kind, Size: n.Size, Inodes: n.Inodes}
		switch {
		case n.Kind == snapshots.KindCommitted:
			e.Dataset = s.snapshotOf(&n.record)
		case n.Volume != "":
			e.Dataset, e.Size, e.Inodes = s.full(n.Volume), usage[n.Volume].Size, usage[n.Volume].Inodes
		}
		entries = append(entries, e)
	}
	for _, n := range s.index.cache {
		entries = append(entries, Entry{Key: n.key, Kind: n.Kind, Dataset: s.snapshotOf(&n.record), Size: n.Size, Inodes: n.Inodes, Kept: true})
	}
	slices.SortFunc(entries, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(b.Size, a.Size), cmp.Compare(a.Key, b.Key))
	})
	return entries, nil
}
