package kernel

import "fmt"

// MountOption is an option of nmount(2): a name, alone or with a value.
type MountOption struct {
	Name     string
	Value    string
	HasValue bool
}

// FSID identifies a mounted file system for as long as it is mounted.
type FSID [2]int32

// String returns the form in which unmount(2) takes it.
func (id FSID) String() string { return fmt.Sprintf("FSID:%d:%d", id[0], id[1]) }

// MountInfo is a mounted file system.
type MountInfo struct {
	Type  string // file system type: nullfs, tmpfs, …
	From  string // what is mounted
	On    string // where: an absolute path of the host
	Flags uint64 // Mount… flags, and others that only the kernel sets
	ID    FSID   // zero inside a jail with enforce_statfs above 0
}

// DecodeMounts decodes an array of struct statfs, as getfsstat(2) fills it, in
// its order. Data of another size or version wraps [ErrLayout].
func DecodeMounts(b []byte) ([]MountInfo, error) {
	if len(b)%statfsSize != 0 {
		return nil, fmt.Errorf("%d bytes of mounts of %d bytes: %w", len(b), statfsSize, ErrLayout)
	}
	mounts := make([]MountInfo, 0, len(b)/statfsSize)
	for ; len(b) > 0; b = b[statfsSize:] {
		m, err := decodeMount(b[:statfsSize])
		if err != nil {
			return nil, err
		}
		mounts = append(mounts, m)
	}
	return mounts, nil
}

// decodeMount decodes one struct statfs.
func decodeMount(b []byte) (MountInfo, error) {
	if len(b) != statfsSize {
		return MountInfo{}, fmt.Errorf("mount of %d bytes: %w", len(b), ErrLayout)
	}
	if v := le.Uint32(b[offStatfsVersion:]); v != statfsVersion {
		return MountInfo{}, fmt.Errorf("mount of version %#x: %w", v, ErrLayout)
	}
	return MountInfo{
		Type:  DecodeString(b[offStatfsTypeName:][:typeNameSize]),
		From:  DecodeString(b[offStatfsFrom:][:mountNameSize]),
		On:    DecodeString(b[offStatfsOn:][:mountNameSize]),
		Flags: le.Uint64(b[offStatfsFlags:]),
		ID:    FSID{int32(le.Uint32(b[offStatfsFSID:])), int32(le.Uint32(b[offStatfsFSID+4:]))},
	}, nil
}
