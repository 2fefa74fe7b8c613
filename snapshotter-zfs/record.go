package zfs

import (
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/errdefs"

	"jailshim/snapshotter-zfs/engine"
)

// record is what the database has of a snapshot of containerd's.
type record struct {
	Kind    snapshots.Kind    `json:"kind"`
	Parent  string            `json:"parent,omitempty"`
	Labels  map[string]string `json:"labels,omitempty"`
	Created time.Time         `json:"created"`
	Updated time.Time         `json:"updated"`

	// Volume is the volume that it is in, a name below the root; of a foreign one the
	// full name. "" for a view that needs none.
	Volume string `json:"volume,omitempty"`
	// Foreign ones were imported: they are used, and never destroyed.
	Foreign bool `json:"foreign,omitempty"`
	// Unpack ones are layers that containerd writes and commits.
	Unpack bool `json:"unpack,omitempty"`

	// The rest is of committed ones.
	Snap       string `json:"snap,omitempty"` // the snapshot of the volume
	From       string `json:"from,omitempty"` // the key of the active snapshot that it was
	GUID       uint64 `json:"guid,omitempty"`
	TXG        uint64 `json:"txg,omitempty"`
	ParentGUID uint64 `json:"parentGUID,omitempty"`
	Referenced uint64 `json:"referenced,omitempty"` // bytes, with all parents
	Size       int64  `json:"size,omitempty"`       // bytes, without parents
	Files      uint64 `json:"files,omitempty"`      // inodes, with all parents
	Inodes     int64  `json:"inodes,omitempty"`     // inodes, without parents

	// The rest is of those that are kept although containerd removed them.
	Key    string    `json:"key,omitempty"`
	Cached time.Time `json:"cached,omitzero"`
}

func (r *record) info(key string) snapshots.Info {
	return snapshots.Info{
		Kind:    r.Kind,
		Name:    key,
		Parent:  r.Parent,
		Labels:  maps.Clone(r.Labels),
		Created: r.Created,
		Updated: r.Updated,
	}
}

func (r *record) ref() string { return r.Labels[snapshots.LabelSnapshotRef] }

// Properties of ours.
const (
	// MarkRoot is the property that makes a dataset ours, with the value MarkValue.
	MarkRoot  = "io.jailshim:root"
	MarkValue = "1"

	propLayer  = "io.jailshim:layer"  // of a snapshot: its mark
	propActive = "io.jailshim:active" // of a volume: the mark of the active snapshot that writes to it
)

// mark is what ZFS has of a snapshot of containerd's: enough to make its record again.
type mark struct {
	Version    int               `json:"v"`
	Key        string            `json:"key"`
	From       string            `json:"from,omitempty"` // the active snapshot that it was committed from
	Kind       snapshots.Kind    `json:"kind"`
	Parent     string            `json:"parent,omitempty"`
	ParentGUID uint64            `json:"parentGUID,omitempty"`
	Labels     map[string]string `json:"labels,omitempty"`
	Created    time.Time         `json:"created"`
	Updated    time.Time         `json:"updated"`
	Files      uint64            `json:"files,omitempty"`
	Inodes     int64             `json:"inodes,omitempty"`
}

const markVersion = 1

func newMark(key string, r *record) mark {
	return mark{
		Version: markVersion, Key: key, From: r.From, Kind: r.Kind, Parent: r.Parent, ParentGUID: r.ParentGUID,
		Labels: r.Labels, Created: r.Created, Updated: r.Updated, Files: r.Files, Inodes: r.Inodes,
	}
}

func (m *mark) record() *record {
	return &record{
		Kind: m.Kind, From: m.From, Parent: m.Parent, ParentGUID: m.ParentGUID, Labels: m.Labels,
		Created: m.Created, Updated: m.Updated, Files: m.Files, Inodes: m.Inodes,
	}
}

// maxParts is how many properties a mark may take.
const maxParts = 32

// props returns the properties that hold a mark: one, or several if it is longer than
// the value of a property can be. Parts of a longer former mark are removed.
func (m mark) props(name string, former int) (map[string]string, error) {
	b, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("mark of snapshot %q: %w", m.Key, err)
	}
	props := map[string]string{}
	n := 0
	for s := string(b); s != "" || n < former; n++ {
		part := cutPart(s)
		props[partName(name, n)] = part
		s = s[len(part):]
	}
	if n > maxParts {
		return nil, fmt.Errorf("labels of snapshot %q are %d bytes long, which is too much: %w",
			m.Key, len(b), errdefs.ErrInvalidArgument)
	}
	return props, nil
}

// cutPart returns the longest start of s that fits, in whole characters.
func cutPart(s string) string {
	if len(s) <= engine.MaxPropValue {
		return s
	}
	n := engine.MaxPropValue
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

func partName(name string, n int) string {
	if n == 0 {
		return name
	}
	return name + "." + strconv.Itoa(n)
}

// parts counts the properties that hold a mark.
func parts(props map[string]string, name string) int {
	n := 0
	for props[partName(name, n)] != "" {
		n++
	}
	return n
}

// readMark reads what mark.props made. There is none if ok is false.
func readMark(props map[string]string, name string) (m mark, ok bool, err error) {
	var b strings.Builder
	for n := range parts(props, name) {
		b.WriteString(props[partName(name, n)])
	}
	if b.Len() == 0 {
		return mark{}, false, nil
	}
	if err := json.Unmarshal([]byte(b.String()), &m); err != nil {
		return mark{}, false, fmt.Errorf("property %q: %w", name, err)
	}
	if m.Version != markVersion || m.Key == "" {
		return mark{}, false, fmt.Errorf("property %q is of version %d, not %d", name, m.Version, markVersion)
	}
	return m, true, nil
}
