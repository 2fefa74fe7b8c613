package zfs

import (
	"fmt"
	"strconv"
	"strings"
)

// ident names a volume or a snapshot. Later ones are greater.
type ident struct {
	epoch, seq uint64
}

func (id ident) String() string {
	return strconv.FormatUint(id.epoch, 36) + "-" + strconv.FormatUint(id.seq, 36)
}

func (id ident) less(other ident) bool {
	if id.epoch != other.epoch {
		return id.epoch < other.epoch
	}
	return id.seq < other.seq
}

// parseIdent accepts what String makes, and nothing else: a name that only looks like
// ours is not ours to destroy.
func parseIdent(s string) (ident, error) {
	e, q, _ := strings.Cut(s, "-")
	epoch, err := strconv.ParseUint(e, 36, 64)
	if err != nil {
		return ident{}, fmt.Errorf("%q is not an id: %w", s, err)
	}
	seq, err := strconv.ParseUint(q, 36, 64)
	if err != nil {
		return ident{}, fmt.Errorf("%q is not an id: %w", s, err)
	}
	id := ident{epoch, seq}
	if id.String() != s {
		return ident{}, fmt.Errorf("%q is not an id", s)
	}
	return id, nil
}

// The folders of volumes.
const (
	layerFolder     = "l"
	containerFolder = "c"
)

// volumeName is a volume's name below the root.
func volumeName(folder string, id ident) string { return folder + "/" + id.String() }

// parseVolume is the reverse of volumeName.
func parseVolume(name string) (ident, error) {
	folder, id, _ := strings.Cut(name, "/")
	if folder != layerFolder && folder != containerFolder {
		return ident{}, fmt.Errorf("%q is not a volume", name)
	}
	return parseIdent(id)
}

// cutRoot returns a dataset's name below the root.
func cutRoot(root, name string) (string, bool) { return strings.CutPrefix(name, root+"/") }

func cutSnap(name string) (volume, snap string, ok bool) { return strings.Cut(name, "@") }
