package pattern

import (
	"bytes"
	"slices"
	"testing"
)

// TestCheck_DamagedStream_Refused: the output tests rely on Check alone to see
// a lost or misplaced buffer.
func TestCheck_DamagedStream_Refused(t *testing.T) {
	const n = 10*recordSize + 7
	var whole bytes.Buffer
	if err := Copy(&whole, n); err != nil {
		t.Fatal(err)
	}
	b := whole.Bytes()
	if len(b) != n {
		t.Fatalf("Copy(%d) wrote %d bytes", n, len(b))
	}
	if err := Check(bytes.NewReader(b), n); err != nil {
		t.Fatalf("the stream itself: %v", err)
	}

	swapped := slices.Clone(b)
	copy(swapped[:recordSize], b[recordSize:2*recordSize])
	copy(swapped[recordSize:2*recordSize], b[:recordSize])
	flipped := slices.Clone(b)
	flipped[5*recordSize+3] ^= 1
	for name, damaged := range map[string][]byte{
		"tail lost":         b[:n-1],
		"last record lost":  b[:10*recordSize],
		"first record lost": b[recordSize:],
		"middle lost":       slices.Concat(b[:3*recordSize], b[4*recordSize:]),
		"tail repeated":     slices.Concat(b, b[n-1:]),
		"records swapped":   swapped,
		"a bit flipped":     flipped,
		"nothing":           nil,
	} {
		if err := Check(bytes.NewReader(damaged), n); err == nil {
			t.Errorf("%s: not noticed", name)
		}
	}
}

// TestCopy_EveryLength_ChecksOut covers the lengths around a record and around
// Copy's own buffer.
func TestCopy_EveryLength_ChecksOut(t *testing.T) {
	for _, n := range []int64{0, 1, recordSize - 1, recordSize, recordSize + 1, 32<<10 - 1, 32 << 10, 32<<10 + 1, 100_000} {
		var b bytes.Buffer
		if err := Copy(&b, n); err != nil {
			t.Fatal(err)
		}
		if err := Check(&b, n); err != nil {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}
