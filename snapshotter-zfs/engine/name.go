package engine

import (
	"fmt"
	"strings"
	"syscall"
)

const (
	// MaxName is the longest name, with its snapshot.
	MaxName = 255 // ZFS_MAX_DATASET_NAME_LEN - 1, sys/contrib/openzfs/include/sys/fs/zfs.h:88
	// MaxDepth is the number of components that a name can have.
	MaxDepth = 50 // zfs_max_dataset_nesting, sys/contrib/openzfs/module/zcommon/zfs_namecheck.c:56
)

// CheckDataset refuses what cannot be the name of a file system. op is the operation
// that the error tells.
func CheckDataset(op, name string) error {
	if text := badDataset(name); text != "" {
		return NewError(op, name, syscall.EINVAL, text)
	}
	return nil
}

// CheckSnapshot refuses what cannot be the name of a snapshot.
func CheckSnapshot(op, name string) error {
	if text := badSnapshot(name); text != "" {
		return NewError(op, name, syscall.EINVAL, text)
	}
	return nil
}

// CheckName refuses what can be neither.
func CheckName(op, name string) error {
	if IsSnapshot(name) {
		return CheckSnapshot(op, name)
	}
	return CheckDataset(op, name)
}

// CheckSnapshots refuses names that one call of Snapshot cannot make together.
func CheckSnapshots(names []string) error {
	if len(names) == 0 {
		return NewError(OpSnapshot, "", syscall.EINVAL, "no name")
	}
	seen := map[string]string{}
	for _, name := range names {
		if err := CheckSnapshot(OpSnapshot, name); err != nil {
			return err
		}
		of := Parent(name)
		if other, ok := seen[of]; ok {
			return NewError(OpSnapshot, name, syscall.EXDEV, fmt.Sprintf("%q is of the same file system; make one after the other", other))
		}
		if Pool(name) != Pool(names[0]) {
			return NewError(OpSnapshot, name, syscall.EXDEV, fmt.Sprintf("%q is in another pool; make one after the other", names[0]))
		}
		seen[of] = name
	}
	return nil
}

// CheckDestroy refuses what is no name, and the root of a pool.
func CheckDestroy(name string) error {
	if err := CheckName(OpDestroy, name); err != nil {
		return err
	}
	if Parent(name) == "" {
		return NewError(OpDestroy, name, syscall.EINVAL, "the root of a pool goes with the pool; see zpool-destroy(8)")
	}
	return nil
}

// CheckRollback refuses a snapshot that is not one of the file system.
func CheckRollback(dataset, snapshot string) error {
	if err := CheckDataset(OpRollback, dataset); err != nil {
		return err
	}
	if err := CheckSnapshot(OpRollback, snapshot); err != nil {
		return err
	}
	if Parent(snapshot) != dataset {
		return NewError(OpRollback, dataset, syscall.EINVAL, fmt.Sprintf("%q is of another file system", snapshot))
	}
	return nil
}

// IsSnapshot tells a snapshot's name from a file system's.
func IsSnapshot(name string) bool { return strings.Contains(name, "@") }

// Pool returns the name of the pool that something is in.
func Pool(name string) string {
	if i := strings.IndexAny(name, "/@"); i >= 0 {
		return name[:i]
	}
	return name
}

// Parent returns the file system that a snapshot is of, or that a file system is in;
// "" for a pool.
func Parent(name string) string {
	if i := strings.LastIndexAny(name, "/@"); i >= 0 {
		return name[:i]
	}
	return ""
}

func badDataset(name string) string {
	switch {
	case len(name) > MaxName:
		return fmt.Sprintf("longer than %d bytes", MaxName)
	case strings.Count(name, "/") >= MaxDepth:
		return fmt.Sprintf("more than %d levels deep", MaxDepth)
	case name != "" && !isLetter(rune(name[0])):
		return "the name of the pool does not begin with a letter"
	}
	for part := range strings.SplitSeq(name, "/") {
		if text := badComponent(part); text != "" {
			return text
		}
		if part == "." || part == ".." {
			return fmt.Sprintf("%q is no name", part)
		}
	}
	return ""
}

func badSnapshot(name string) string {
	of, snap, ok := strings.Cut(name, "@")
	switch {
	case !ok:
		return "not a snapshot's name: no \"@\""
	case len(name) > MaxName:
		return fmt.Sprintf("longer than %d bytes", MaxName)
	}
	if text := badDataset(of); text != "" {
		return text
	}
	return badComponent(snap)
}

// badComponent knows less than ZFS, which uses "%" for what is hidden.
func badComponent(part string) string {
	if part == "" {
		return "a part of the name is empty"
	}
	if i := strings.IndexFunc(part, func(c rune) bool { return !validChar(c) }); i >= 0 {
		return fmt.Sprintf("%q has a character that is none of letters, digits, \"-_.: \"", part)
	}
	return ""
}

func validChar(c rune) bool {
	return isLetter(c) || c >= '0' && c <= '9' || strings.ContainsRune("-_.: ", c)
}

func isLetter(c rune) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
