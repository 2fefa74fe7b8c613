package command

import (
	"regexp"
	"slices"
	"strings"
	"syscall"

	"jailshim/snapshotter-zfs/engine"
)

// failures are the sentences of zfs(8), of OpenZFS 2.4.3 (lib/libzfs, cmd/zfs) and of
// zfs-fuse 0.7.0, by the errno that they stand for. The first that is in the text
// counts.
var failures = []struct {
	text  string
	errno syscall.Errno
}{
	{"dataset does not exist", syscall.ENOENT},
	{"parent does not exist", syscall.ENOENT},
	{"no such pool", syscall.ENOENT},
	{"could not find any snapshots to destroy", syscall.ENOENT},
	{"dataset already exists", syscall.EEXIST},
	{"filesystem has children", syscall.EEXIST},
	{"snapshot has dependent clones", syscall.EEXIST},
	{"more recent snapshots", syscall.EEXIST}, // "… exist", "… or bookmarks exist"
	{"it's being held", syscall.EBUSY},
	{"dataset is busy", syscall.EBUSY}, // "pool or dataset is busy" too
	{"umount failed", syscall.EBUSY},
	{"out of space", syscall.ENOSPC},
	{"size is greater than available space", syscall.ENOSPC},
	{"size is less than current used or reserved space", syscall.ENOSPC},
	{"invalid property", syscall.EINVAL},
	{"bad property list", syscall.EINVAL},
	{"' must be ", syscall.EINVAL}, // "'recordsize' must be power of 2 from …"
	{"permission denied", syscall.EPERM},
	{"Permission denied", syscall.EPERM},
	{"pool I/O is currently suspended", syscall.EAGAIN},
	{"zfs-fuse daemon is running", syscall.ENXIO},
	{"failed to initialize ZFS library", syscall.ENXIO},
	{"The ZFS modules", syscall.ENXIO}, // "… are not loaded", "… cannot be auto-loaded"
	{"/dev/zfs", syscall.ENXIO},
}

// errnoOf returns the errno that a text of zfs(8) stands for, or 0.
func errnoOf(text string) syscall.Errno {
	for _, f := range failures {
		if strings.Contains(text, f.text) {
			return f.errno
		}
	}
	return 0
}

// asError makes an error of what zfs(8) wrote to standard error.
func asError(op, object, text string) *engine.Error {
	detail, _, _ := strings.Cut(strings.TrimSpace(text), "\nusage:")
	return engine.NewError(op, object, errnoOf(text), strings.ReplaceAll(detail, "\n", "; "))
}

var quoted = regexp.MustCompile(`'([^']+)'`)

// atFault returns the one of names that a text is about.
func atFault(text string, names []string) string {
	for _, m := range quoted.FindAllStringSubmatch(text, -1) {
		i := slices.IndexFunc(names, func(name string) bool { return name == m[1] || engine.Parent(name) == m[1] })
		if i >= 0 {
			return names[i]
		}
	}
	return names[0]
}
