package daemon

import (
	"encoding/binary"
	"testing"
)

// record is a struct kinfo_file of the given size for a descriptor.
func record(size, fd int) []byte {
	b := make([]byte, size)
	binary.NativeEndian.PutUint32(b, uint32(size))
	binary.NativeEndian.PutUint32(b[8:], uint32(fd))
	return b
}

func concat(all ...[]byte) (b []byte) {
	for _, a := range all {
		b = append(b, a...)
	}
	return b
}

// TestCountDescriptors_Records_RealOnesCounted: a count that includes the working
// directory, or stops at a short record, hides a leak.
func TestCountDescriptors_Records_RealOnesCounted(t *testing.T) {
	cwd, text := record(400, -1), record(392, -5)
	for name, c := range map[string]struct {
		b    []byte
		want int
		bad  bool
	}{
		"none":       {nil, 0, false},
		"three":      {concat(text, cwd, record(360, 0), record(376, 1), record(1392, 7)), 3, false},
		"room":       {concat(record(360, 0), make([]byte, 720)), 1, false},
		"cut off":    {record(360, 0)[:100], 0, true},
		"short tail": {concat(record(360, 0), []byte{1, 2, 3}), 0, true},
		"negative":   {record(16, 0)[:8], 0, true},
		"tiny":       {append([]byte{4, 0, 0, 0}, make([]byte, 20)...), 0, true},
	} {
		got, err := countDescriptors(c.b)
		if got != c.want || (err != nil) != c.bad {
			t.Errorf("%s: got %d, %v, want %d, error %t", name, got, err, c.want, c.bad)
		}
	}
}
