package zfs

import (
	"fmt"
	"slices"

	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/errdefs"

	"jailshim/snapshotter-zfs/engine"
)

// node is a snapshot of containerd's in memory.
type node struct {
	record
	key      string
	children int  // records that have it as parent, and those that are being made
	views    int  // those of them for which its snapshot is mounted
	removing bool // nothing may begin to use it
	flushed  bool // its mark says what the record says
	parts    int  // how many properties its mark has, if it has one
}

// volume is a dataset of ours: a head that is written to, and snapshots.
type volume struct {
	name string // below the root
	id   ident
	// owner is the key that writes to the head, or "" or a word of ours for what
	// occupies it meanwhile.
	owner string
	// dirty says that the head may differ from the newest snapshot.
	dirty  bool
	snaps  []snap // oldest first
	warned bool   // that it can't be destroyed was logged
}

// snap is a snapshot of a volume of ours. Without a record it is to be destroyed.
type snap struct {
	id  string
	rec *node
}

// ownerCleanup occupies a head while Cleanup works on it.
const ownerCleanup = "\x00cleanup"

func (v *volume) newest() *snap {
	if len(v.snaps) == 0 {
		return nil
	}
	return &v.snaps[len(v.snaps)-1]
}

// used tells whether there is anything in the volume that has a record.
func (v *volume) used() bool {
	return v.owner != "" || slices.ContainsFunc(v.snaps, func(s snap) bool { return s.rec != nil })
}

func (v *volume) forget(id string) {
	v.snaps = slices.DeleteFunc(v.snaps, func(s snap) bool { return s.id == id })
}

// index is what is known, in memory. Its methods don't block, so that one mutex, the
// snapshotter's mu, guards all of it.
type index struct {
	nodes   map[string]*node   // by key
	cache   map[string]*node   // by VOLUME@SNAP; what containerd removed and we kept
	volumes map[string]*volume // by name
}

func newIndex() *index {
	return &index{nodes: map[string]*node{}, cache: map[string]*node{}, volumes: map[string]*volume{}}
}

// pin returns a committed snapshot that something is to be based on, and keeps it from
// being removed. Without a key there is none.
func (x *index) pin(key string) (*node, error) {
	if key == "" {
		return nil, nil
	}
	p := x.nodes[key]
	if p == nil || p.removing {
		return nil, fmt.Errorf("parent snapshot %q: %w", key, errdefs.ErrNotFound)
	}
	if p.Kind != snapshots.KindCommitted {
		return nil, fmt.Errorf("parent snapshot %q is not committed: %w", key, errdefs.ErrInvalidArgument)
	}
	p.children++
	return p, nil
}

// unpin ends what pin began for n.
func (x *index) unpin(n *node) {
	p := x.nodes[n.Parent]
	if n.Parent == "" || p == nil {
		return
	}
	p.children--
	if n.Volume == "" {
		p.views--
	}
}

// remove makes a record unknown.
func (x *index) remove(n *node) {
	delete(x.nodes, n.key)
	x.unpin(n)
}

// needed tells whether someone may use our mount of a volume or a snapshot.
func (x *index) needed(name string) bool {
	volume, id, isSnap := cutSnap(name)
	v := x.volumes[volume]
	if !isSnap {
		return v != nil && v.owner != "" && v.owner != ownerCleanup
	}
	for _, n := range x.nodes {
		if n.views > 0 && n.Volume == volume && n.Snap == id {
			return true
		}
	}
	return false
}

// newVolume makes a volume known that is about to be made.
func (x *index) newVolume(name string, id ident, owner string) *volume {
	v := &volume{name: name, id: id, owner: owner}
	x.volumes[name] = v
	return v
}

// snapName is the name of the snapshot that a committed record is, below the root
// unless it is foreign.
func (r *record) snapName() string { return r.Volume + "@" + r.Snap }

// load fills the index from records, and volumes from what they say. Heads without an
// owner may have been written to, as far as the records tell.
func (x *index) load(records, cache map[string]*record) error {
	for key, r := range records {
		x.nodes[key] = &node{record: *r, key: key, flushed: true}
	}
	for key, r := range cache {
		x.cache[key] = &node{record: *r, key: r.Key, flushed: true}
	}
	for _, n := range x.nodes {
		if p := x.nodes[n.Parent]; n.Parent != "" && p != nil {
			p.children++
			if n.Volume == "" {
				p.views++
			}
		}
		if err := x.loadVolume(n); err != nil {
			return err
		}
	}
	for _, n := range x.cache {
		if err := x.loadVolume(n); err != nil {
			return err
		}
	}
	for _, v := range x.volumes {
		v.dirty = v.owner == ""
		slices.SortFunc(v.snaps, compareSnaps)
	}
	return nil
}

func (x *index) loadVolume(n *node) error {
	if n.Volume == "" || n.Foreign {
		return nil
	}
	id, err := parseVolume(n.Volume)
	if err != nil {
		return fmt.Errorf("record %q: %w", n.key, err)
	}
	v := x.volumes[n.Volume]
	if v == nil {
		v = x.newVolume(n.Volume, id, "")
	}
	if n.Kind == snapshots.KindCommitted {
		v.snaps = append(v.snaps, snap{id: n.Snap, rec: n})
		return nil
	}
	v.owner = n.key
	return nil
}

// found adds what a list of ZFS's has and the records have not, to be destroyed. It
// returns the greatest epoch that was ever used.
func (x *index) found(root string, list []engine.Dataset) (epoch uint64, added []string, foreign []string) {
	for _, d := range list {
		o, ok := ours(root, d.Name)
		if !ok {
			if d.Name != root && d.Name != root+"/"+layerFolder && d.Name != root+"/"+containerFolder {
				foreign = append(foreign, d.Name)
			}
			continue
		}
		epoch = max(epoch, o.id.epoch, o.snapID.epoch)
		v := x.volumes[o.volume]
		if v == nil {
			v = x.newVolume(o.volume, o.id, "")
			v.dirty = true
			added = append(added, d.Name)
		}
		if o.snap == "" || slices.ContainsFunc(v.snaps, func(s snap) bool { return s.id == o.snap }) {
			continue
		}
		v.snaps = append(v.snaps, snap{id: o.snap})
		slices.SortFunc(v.snaps, compareSnaps)
		added = append(added, d.Name)
	}
	return epoch, added, foreign
}

func compareSnaps(a, b snap) int {
	x, errX := parseIdent(a.id)
	y, errY := parseIdent(b.id)
	if errX != nil || errY != nil || x == y {
		return 0
	}
	if x.less(y) {
		return -1
	}
	return 1
}

// our is a dataset or snapshot of ours.
type our struct {
	volume string
	id     ident
	snap   string
	snapID ident
}

// ours tells whether a name is one that we give.
func ours(root, name string) (our, bool) {
	rest, ok := cutRoot(root, name)
	if !ok {
		return our{}, false
	}
	var o our
	var err error
	var isSnap bool
	o.volume, o.snap, isSnap = cutSnap(rest)
	if o.id, err = parseVolume(o.volume); err != nil {
		return our{}, false
	}
	if isSnap {
		if o.snapID, err = parseIdent(o.snap); err != nil {
			return our{}, false
		}
	}
	return o, true
}
