package firewall

import (
	"slices"
	"strings"
	"time"
)

// record is what we have loaded for the networks, in a file that is gone after a
// reboot, as the rules are.
type record struct {
	Networks []Network `json:"networks"` // sorted by name
	Uplinks  []Uplink  `json:"uplinks"`
	Seen     time.Time `json:"seen"` // when the uplinks were looked at
}

// uplinksAge is how long what was found of the host's interfaces is taken to hold: a
// look at hundreds of them for each container would make starts slower and slower.
const uplinksAge = time.Minute

// refresh looks at the interfaces if that was long ago, and tells whether they differ.
func (r *record) refresh(uplinks func() ([]Uplink, error)) (changed bool, err error) {
	if age := time.Since(r.Seen); age >= 0 && age < uplinksAge {
		return false, nil
	}
	found, err := uplinks()
	if err != nil {
		return false, err
	}
	changed = !slices.EqualFunc(found, r.Uplinks, func(a, b Uplink) bool {
		return a.Name == b.Name && slices.Equal(a.IPv4, b.IPv4) && slices.Equal(a.IPv6, b.IPv6)
	})
	r.Uplinks, r.Seen = found, time.Now()
	return changed, nil
}

// set puts a network in, and tells whether that changed anything.
func (r *record) set(n Network) (changed bool) {
	i, found := r.find(n.Name)
	if found {
		changed = r.Networks[i] != n
		r.Networks[i] = n
		return changed
	}
	r.Networks = slices.Insert(r.Networks, i, n)
	return true
}

// drop takes a network out, and tells whether it was there.
func (r *record) drop(name string) bool {
	i, found := r.find(name)
	if found {
		r.Networks = slices.Delete(r.Networks, i, i+1)
	}
	return found
}

func (r *record) find(name string) (int, bool) {
	return slices.BinarySearchFunc(r.Networks, name, func(n Network, name string) int { return strings.Compare(n.Name, name) })
}
