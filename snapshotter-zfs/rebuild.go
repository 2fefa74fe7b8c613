package zfs

import (
	"cmp"
	"slices"

	"github.com/containerd/containerd/v2/core/snapshots"

	"jailshim/snapshotter-zfs/engine"
)

// rebuild makes records from what ZFS has, for a database that is new.
func (s *Snapshotter) rebuild(list []engine.Dataset) error {
	r := rebuilder{root: s.config.Dataset, records: map[string]*record{}, byGUID: map[uint64]string{}}
	r.layers(list)
	r.actives(list)
	r.foreign(list)
	for _, err := range r.errs {
		s.log.Warn("a mark can't be read, what it is on counts as left over", "error", err)
	}
	if len(r.records) == 0 {
		return nil
	}
	puts := make([]put, 0, len(r.records))
	for key, rec := range r.records {
		puts = append(puts, put{bucketRecords, key, rec})
	}
	if err := s.store.apply(puts...); err != nil {
		return err
	}
	s.log.Warn("the database was lost; made it again from ZFS", "snapshots", len(puts))
	index := newIndex()
	if err := index.load(r.records, nil); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.index = index
	return nil
}

// rebuilder makes records from marks.
type rebuilder struct {
	root    string
	records map[string]*record
	byGUID  map[uint64]string
	errs    []error
}

// layers finds committed snapshots. Of two with the same key, the older one was left
// over by a crash: its commit was repeated.
func (r *rebuilder) layers(list []engine.Dataset) {
	snaps := slices.DeleteFunc(slices.Clone(list), func(d engine.Dataset) bool { return !d.Snapshot })
	slices.SortFunc(snaps, func(a, b engine.Dataset) int { return cmp.Compare(a.CreateTXG, b.CreateTXG) })
	for _, d := range snaps {
		o, ok := ours(r.root, d.Name)
		if !ok {
			continue
		}
		m, ok, err := readMark(d.Props, propLayer)
		if err != nil {
			r.errs = append(r.errs, err)
		}
		if !ok {
			continue
		}
		rec := m.record()
		rec.Kind = snapshots.KindCommitted
		rec.Volume, rec.Snap = o.volume, o.snap
		rec.GUID, rec.TXG, rec.Referenced = d.GUID, d.CreateTXG, d.Referenced
		rec.Size = int64(d.Written)
		r.records[m.Key] = rec
		r.byGUID[d.GUID] = m.Key
	}
}

// actives finds what containers write to: volumes with a mark that no snapshot of theirs
// was committed from.
func (r *rebuilder) actives(list []engine.Dataset) {
	committed := map[string]bool{}
	for _, d := range list {
		if o, ok := ours(r.root, d.Name); ok && d.Snapshot {
			m, _, err := readMark(d.Props, propLayer)
			if err == nil {
				committed[o.volume+"\x00"+m.From] = true
			}
		}
	}
	for _, d := range list {
		o, ok := ours(r.root, d.Name)
		if !ok || d.Snapshot {
			continue
		}
		m, ok, err := readMark(d.Props, propActive)
		if err != nil {
			r.errs = append(r.errs, err)
		}
		if !ok || committed[o.volume+"\x00"+m.Key] || r.records[m.Key] != nil {
			continue
		}
		rec := m.record()
		rec.Volume = o.volume
		r.records[m.Key] = rec
	}
}

// foreign finds the imported snapshots that something is based on: the origins of
// volumes that are not ours.
func (r *rebuilder) foreign(list []engine.Dataset) {
	for _, d := range list {
		o, ok := ours(r.root, d.Name)
		if !ok || d.Origin == "" {
			continue
		}
		if _, isOurs := ours(r.root, d.Origin); isOurs {
			continue
		}
		for _, rec := range r.records {
			if rec.Volume != o.volume || rec.Parent == "" || r.records[rec.Parent] != nil {
				continue
			}
			volume, snap, _ := cutSnap(d.Origin)
			r.records[rec.Parent] = &record{
				Kind: snapshots.KindCommitted, Created: rec.Created, Updated: rec.Updated,
				Volume: volume, Snap: snap, Foreign: true, GUID: rec.ParentGUID,
			}
			break
		}
	}
}
