package daemon

import (
	"encoding/binary"
	"errors"
)

// Where the fields are in FreeBSD's struct kinfo_file (sys/user.h), of which the
// sysctl kern.proc.filedesc returns one for each descriptor, cut short after the
// last byte in use.
const (
	kfStructSize = 0 // int, in bytes
	kfFD         = 8 // int; negative for what is no descriptor: the working directory, the program
	kfSize       = 12
)

// countDescriptors returns how many descriptors such a reply is about.
func countDescriptors(b []byte) (n int, err error) {
	for len(b) > 0 {
		if len(b) < kfSize {
			return 0, errors.New("kern.proc.filedesc: the last record is cut off")
		}
		size := int(int32(binary.NativeEndian.Uint32(b[kfStructSize:])))
		if size == 0 {
			break // the rest is room that was not needed
		}
		if size < kfSize || size > len(b) {
			return 0, errors.New("kern.proc.filedesc: a record has an impossible size")
		}
		if int32(binary.NativeEndian.Uint32(b[kfFD:])) >= 0 {
			n++
		}
		b = b[size:]
	}
	return n, nil
}
