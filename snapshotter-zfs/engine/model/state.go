package model

import (
	"maps"
	"strings"

	"jailshim/snapshotter-zfs/engine"
)

// object is a file system or a snapshot.
type object struct {
	guid      uint64
	createTXG uint64
	origin    string
	deferred  bool
	props     map[string]string
	files     map[string]file
}

// file is a file's contents. Contents that were written apart are different files,
// even if they are equal.
type file struct {
	id   uint64
	data string
}

// state is all objects, by their names. The maps of an object are never changed, only
// replaced, so a copy of a state is cheap.
type state map[string]object

func (s state) clone() state { return maps.Clone(s) }

// split returns the file system that a snapshot is of; "" for a file system.
func split(name string) (dataset string, isSnapshot bool) {
	dataset, _, isSnapshot = strings.Cut(name, "@")
	return dataset, isSnapshot
}

func parentOf(name string) string {
	i := strings.LastIndexByte(name, '/')
	if i < 0 {
		return ""
	}
	return name[:i]
}

// newest is the newest snapshot of a file system, or "".
func (s state) newest(dataset string) string {
	found := ""
	for name, o := range s {
		if strings.HasPrefix(name, dataset+"@") && (found == "" || o.createTXG > s[found].createTXG) {
			found = name
		}
	}
	return found
}

// before is what a file system or snapshot is the successor of: the previous snapshot
// or the origin, or "".
func (s state) before(name string) string {
	dataset, isSnapshot := split(name)
	found := ""
	for other, o := range s {
		if !strings.HasPrefix(other, dataset+"@") || other == name {
			continue
		}
		if isSnapshot && o.createTXG >= s[name].createTXG {
			continue
		}
		if found == "" || o.createTXG > s[found].createTXG {
			found = other
		}
	}
	if found == "" {
		return s[dataset].origin
	}
	return found
}

func (s state) clones(snapshot string) []string {
	var found []string
	for name, o := range s {
		if o.origin == snapshot {
			found = append(found, name)
		}
	}
	return found
}

// dependents tells whether a file system has children or snapshots.
func (s state) dependents(dataset string) bool {
	for name := range s {
		if strings.HasPrefix(name, dataset+"/") || strings.HasPrefix(name, dataset+"@") {
			return true
		}
	}
	return false
}

func size(files map[string]file) uint64 {
	var n uint64
	for _, f := range files {
		n += uint64(len(f.data))
	}
	return n
}

// written is the size of what is in the one and not in the other.
func written(files, before map[string]file) uint64 {
	var n uint64
	for name, f := range files {
		if before[name].id != f.id {
			n += uint64(len(f.data))
		}
	}
	return n
}

// objectCost is what an object occupies beside its files.
const objectCost = 4096

// used is what a file system occupies with its snapshots and children, without what it
// got from its origin. A file in several of them counts once.
func (s state) used(dataset string) uint64 {
	seen := map[uint64]bool{}
	for _, f := range s[s[dataset].origin].files {
		seen[f.id] = true
	}
	var n uint64
	for name, o := range s {
		if name != dataset && !strings.HasPrefix(name, dataset+"/") && !strings.HasPrefix(name, dataset+"@") {
			continue
		}
		n += objectCost
		for _, f := range o.files {
			if !seen[f.id] {
				seen[f.id] = true
				n += uint64(len(f.data))
			}
		}
	}
	return n
}

// available is what can be written to a file system.
func (s state) available(name string, poolSize uint64) uint64 {
	pool := engine.Pool(name)
	free := poolSize - min(poolSize, s.used(pool))
	for at := name; at != ""; at = parentOf(at) {
		if q := quota(s[at].props["quota"]); q > 0 {
			free = min(free, q-min(q, s.used(at)))
		}
	}
	if q := quota(s[name].props["refquota"]); q > 0 {
		free = min(free, q-min(q, objectCost+size(s[name].files)))
	}
	return free
}

// mountpoint is a file system's, inherited or not.
func (s state) mountpoint(name string) string {
	suffix := ""
	for at := name; at != ""; at = parentOf(at) {
		switch v := s[at].props["mountpoint"]; v {
		case "":
		case "none", "legacy":
			return v
		default:
			return v + suffix
		}
		suffix = name[len(parentOf(at)):]
	}
	return suffix
}

// dataset is an object as the engine shows it.
func (s state) dataset(name string, poolSize uint64) engine.Dataset {
	o := s[name]
	_, isSnapshot := split(name)
	before := s[s.before(name)].files
	d := engine.Dataset{
		Name:         name,
		Snapshot:     isSnapshot,
		GUID:         o.guid,
		CreateTXG:    o.createTXG,
		Referenced:   objectCost + size(o.files),
		Written:      written(o.files, before),
		Used:         objectCost + written(o.files, before),
		Origin:       o.origin,
		DeferDestroy: o.deferred,
		Props:        maps.Clone(o.props),
	}
	if d.Props == nil {
		d.Props = map[string]string{}
	}
	if isSnapshot {
		d.Clones = len(s.clones(name))
		return d
	}
	d.Mountpoint = s.mountpoint(name)
	d.Used = s.used(name)
	d.Available = s.available(name, poolSize)
	return d
}
