package zfs

import (
	"context"
	"slices"
	"strings"

	"jailshim/snapshotter-zfs/engine"
)

// Report is what a check found.
type Report struct {
	// LeftOver are datasets and snapshots of ours without a record: a check that
	// repairs destroys them, as each cleanup does.
	LeftOver []string `json:"leftOver"`
	// Lost are keys of records whose dataset is gone; a check that repairs drops them.
	Lost []string `json:"lost"`
	// Unmarked are keys of records that ZFS doesn't have in its properties yet; a check
	// that repairs writes them.
	Unmarked []string `json:"unmarked"`
	// Foreign are datasets and snapshots below the root that are not ours. They are
	// never touched, and what they are on or in can't be destroyed.
	Foreign []string `json:"foreign"`
}

// Clean tells whether there is nothing to repair.
func (r *Report) Clean() bool { return len(r.LeftOver)+len(r.Lost)+len(r.Unmarked) == 0 }

// Check compares records and ZFS, and repairs what differs if repair is set.
func (s *Snapshotter) Check(ctx context.Context, repair bool) (*Report, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	s.mu.Lock()
	before := s.index.recorded()
	s.mu.Unlock()
	list, err := s.engine.List(ctx, s.config.Dataset)
	if err != nil {
		return nil, err
	}
	r, lost := s.compare(list, before)
	if !repair {
		return r, nil
	}
	if err := s.dropLost(lost); err != nil {
		return r, err
	}
	s.flush(ctx)
	return r, s.collect(ctx)
}

// recorded returns all records.
func (x *index) recorded() map[*node]bool {
	all := map[*node]bool{}
	for _, n := range x.nodes {
		all[n] = true
	}
	for _, n := range x.cache {
		all[n] = true
	}
	return all
}

// compare makes a report. What was made after the list of records and before ZFS's is no
// left-over, because a volume is in the index before it is in ZFS.
func (s *Snapshotter) compare(list []engine.Dataset, before map[*node]bool) (*Report, []*node) {
	r := &Report{}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _, r.Foreign = s.index.found(s.config.Dataset, list)
	for _, v := range s.index.volumes {
		if !v.used() {
			r.LeftOver = append(r.LeftOver, s.full(v.name))
		}
		for _, sn := range v.snaps {
			if sn.rec == nil {
				r.LeftOver = append(r.LeftOver, s.full(v.name+"@"+sn.id))
			}
		}
	}
	lost := slices.DeleteFunc(s.index.lost(s.config.Dataset, list), func(n *node) bool {
		return !before[n] || n.removing || n.Cached.IsZero() && s.index.nodes[n.key] != n
	})
	for _, n := range lost {
		r.Lost = append(r.Lost, n.key)
	}
	for key, n := range s.index.nodes {
		if !n.flushed && !n.Unpack && !n.Foreign && n.Volume != "" {
			r.Unmarked = append(r.Unmarked, key)
		}
	}
	for _, l := range [][]string{r.LeftOver, r.Lost, r.Unmarked, r.Foreign} {
		slices.SortFunc(l, strings.Compare)
	}
	return r, lost
}
