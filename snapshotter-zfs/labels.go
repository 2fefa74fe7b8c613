package zfs

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/errdefs"

	"jailshim/snapshotter-zfs/engine"
)

// LabelPrefix begins the labels that set properties of ZFS's.
const LabelPrefix = "containerd.io/snapshot/zfs."

// DefaultProperties are the properties that such labels may set unless the operator
// says otherwise. None of them lets a container harm others.
var DefaultProperties = []string{"atime", "compression", "quota", "recordsize", "refquota"}

// CheckProperties refuses properties that labels can't set.
func CheckProperties(names []string) error {
	for _, name := range names {
		p, ok := engine.NativeProps[name]
		if !ok || p.Path || name == "readonly" {
			return fmt.Errorf("property %q can't be set by labels: %w", name, errdefs.ErrInvalidArgument)
		}
	}
	return nil
}

// labelProps returns the properties that labels ask for. A size that is none means no
// limit, as with other snapshotters.
func labelProps(labels map[string]string, allowed []string) (map[string]string, error) {
	props := map[string]string{}
	if n, err := strconv.ParseInt(labels[snapshots.LabelSnapshotMaxSize], 10, 64); err == nil && n > 0 {
		props["refquota"] = strconv.FormatInt(n, 10)
	}
	for _, label := range slices.Sorted(maps.Keys(labels)) {
		name, ok := strings.CutPrefix(label, LabelPrefix)
		if !ok {
			continue
		}
		if !slices.Contains(allowed, name) {
			return nil, fmt.Errorf("label %q: property %q is not one of those that labels may set (%s); allow it with the setting \"properties\": %w",
				label, name, strings.Join(allowed, ", "), errdefs.ErrInvalidArgument)
		}
		props[name] = labels[label]
	}
	return props, nil
}
