package testbed

import (
	"os"
	"slices"
)

// Leftovers returns what there is of the space's containers outside containerd's
// database, one line each; nil when it is clean. Programs that a test runs
// against the space count as well, so they must have ended.
func (s *Space) Leftovers() []string {
	left := s.Daemon.leftovers(s.Namespace)
	if Runtime != OurRuntime {
		return left // see leftovers
	}
	for _, path := range s.sockets.all() {
		if _, err := os.Lstat(path); !os.IsNotExist(err) {
			left = append(left, "socket "+path)
		}
	}
	return left
}

// leftovers returns what there is of the containers of a namespace, or of all
// with the daemon's name.
func (d *Daemon) leftovers(namespace string) (lines []string) {
	kinds, err := d.Leftovers(namespace)
	if err != nil {
		// A check that fails finds something.
		return []string{"could not look for what is left over: " + err.Error()}
	}
	for _, k := range kinds {
		// Containerd's own shim leaves its socket when it had a group, or was
		// killed.
		if k.One == "socket" && Runtime != OurRuntime {
			continue
		}
		for _, f := range k.Found {
			lines = append(lines, k.One+" "+f)
		}
	}
	return lines
}

// newOnHost returns what there is on the host now and was not before, of the
// objects that can't be told to belong to anybody.
func newOnHost(before, now []string) []string {
	return slices.DeleteFunc(slices.Clone(now), func(o string) bool { return slices.Contains(before, o) })
}
