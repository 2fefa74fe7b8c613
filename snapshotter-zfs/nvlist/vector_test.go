package nvlist

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// vectorDir holds what a kernel wrote. A vector NAME is NAME.hex, sixteen bytes a line
// with their offset, and NAME.txt, which tells how it was captured, its size and what
// it decodes to.
const vectorDir = "testdata/15.1-amd64"

// The vectors. A file that is in the folder and not here, or the other way round,
// fails TestVectors_AreThoseTested.
var vectors = []string{
	"zfs-channel_program-error-reply",
	"zfs-channel_program-reply",
	"zfs-dataset_list_next-reply",
	"zfs-error-create-badprop",
	"zfs-error-snapshot-exists",
	"zfs-objset_stats-reply",
	"zfs-objset_stats-snapshot-reply",
	"zfs-snapshot_list_next-reply",
}

// TestVectors_AreThoseTested keeps a vector that nobody reads, or one that went
// missing, from passing as tested.
func TestVectors_AreThoseTested(t *testing.T) {
	entries, err := os.ReadDir(vectorDir)
	if err != nil {
		t.Fatal(err)
	}
	var got, want []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	for _, v := range vectors {
		want = append(want, v+".hex", v+".txt")
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("files in %s:\ngot  %v\nwant %v", vectorDir, got, want)
	}
}

// vector returns the bytes of a vector.
func vector(tb testing.TB, name string) []byte {
	tb.Helper()
	var b []byte
	for i, line := range strings.Split(strings.TrimSuffix(vectorFile(tb, name+".hex"), "\n"), "\n") {
		dump, _, ok := strings.Cut(line, "|")
		fields := strings.Fields(dump)
		if !ok || len(fields) < 2 {
			tb.Fatalf("%s.hex:%d: not a line of a dump: %q", name, i+1, line)
		}
		if off, err := strconv.ParseInt(fields[0], 16, 32); err != nil || int(off) != len(b) {
			tb.Fatalf("%s.hex:%d: offset %q, want %#x", name, i+1, fields[0], len(b))
		}
		part, err := hex.DecodeString(strings.Join(fields[1:], ""))
		if err != nil {
			tb.Fatalf("%s.hex:%d: %v", name, i+1, err)
		}
		b = append(b, part...)
	}
	head, _ := vectorNote(tb, name)
	_, size, _ := strings.Cut(head, "\nbytes: ")
	if n, err := strconv.Atoi(strings.TrimSpace(size)); err != nil || n != len(b) {
		tb.Fatalf("%s.hex has %d bytes, its note says %q", name, len(b), size)
	}
	return b
}

// vectorNote returns how a vector was captured, and what it decodes to: all from the
// line with the header on.
func vectorNote(tb testing.TB, name string) (head, decoded string) {
	tb.Helper()
	head, decoded, ok := strings.Cut(vectorFile(tb, name+".txt"), "\n\n")
	if !ok {
		tb.Fatalf("%s.txt does not tell what it decodes to", name)
	}
	return head, decoded
}

func vectorFile(tb testing.TB, name string) string {
	tb.Helper()
	b, err := os.ReadFile(filepath.Join(vectorDir, name))
	if err != nil {
		tb.Fatal(err)
	}
	if len(b) == 0 {
		tb.Fatalf("%s is empty", name)
	}
	return string(b)
}
