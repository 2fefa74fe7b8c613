package kernel

import "fmt"

// Mapping is a piece of a process's memory that shows a file.
type Mapping struct {
	Start, End uint64
	Offset     uint64 // in the file, bytes
	FSID       uint64 // of the file's file system: st_dev
	FileID     uint64 // st_ino
	Resident   int    // pages that are in the process's memory
	Read       bool
	Write      bool
	Exec       bool
	Path       string // as far as the kernel knows it
}

// DecodeMappings decodes those of an array of struct kinfo_vmentry that show files, as the
// sysctl node kern.proc.vmmap returns it. Data of another layout wraps [ErrLayout].
func DecodeMappings(b []byte) ([]Mapping, error) {
	var all []Mapping
	for len(b) > 0 {
		if len(b) < offKvePath {
			return nil, fmt.Errorf("%d bytes of a mapping: %w", len(b), ErrLayout)
		}
		size := le.Uint32(b[offKveStructSize:])
		if size <= offKvePath || uint64(size) > uint64(len(b)) {
			return nil, fmt.Errorf("mapping of %d bytes, of %d: %w", size, len(b), ErrLayout)
		}
		if le.Uint32(b[offKveType:]) == kveTypeVnode {
			protection := le.Uint32(b[offKveProtection:])
			all = append(all, Mapping{
				Start:    le.Uint64(b[offKveStart:]),
				End:      le.Uint64(b[offKveEnd:]),
				Offset:   le.Uint64(b[offKveOffset:]),
				FSID:     le.Uint64(b[offKveFSID:]),
				FileID:   le.Uint64(b[offKveFileID:]),
				Resident: int(int32(le.Uint32(b[offKveResident:]))),
				Read:     protection&kveProtRead != 0,
				Write:    protection&kveProtWrite != 0,
				Exec:     protection&kveProtExec != 0,
				Path:     DecodeString(b[offKvePath:size]),
			})
		}
		b = b[size:]
	}
	return all, nil
}

// programOf returns the mappings of the program in which an address is that can be made
// anew from its file: those that nothing is written to. There must be another one, which
// keeps the file from being changed.
func programOf(all []Mapping, address uint64) []Mapping {
	var own *Mapping
	for i := range all {
		if all[i].Start <= address && address < all[i].End {
			own = &all[i]
		}
	}
	if own == nil {
		return nil
	}
	var fixed []Mapping
	kept := false
	for _, m := range all {
		switch {
		case m.FSID != own.FSID || m.FileID != own.FileID:
		case m.Read && !m.Write:
			fixed = append(fixed, m)
		default:
			kept = true
		}
	}
	if !kept {
		return nil
	}
	return fixed
}
