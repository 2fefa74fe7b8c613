// Package captured reads for tests what was captured from a running kernel. Each package
// that has such vectors keeps them in its folder [Dir]: NAME.hex, sixteen bytes a line
// with their offset, and NAME.txt, which tells how it was captured, its size and, after
// an empty line, what it decodes to.
package captured

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Dir holds the vectors of the package under test; its name is the kernel's.
const Dir = "testdata/15.1-amd64"

// Bytes returns a vector. One that is not as its note says fails the test.
func Bytes(tb testing.TB, name string) []byte {
	tb.Helper()
	var b []byte
	for i, line := range strings.Split(strings.TrimSuffix(File(tb, name+".hex"), "\n"), "\n") {
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
	_, size, _ := strings.Cut(Note(tb, name), "\nbytes: ")
	size, _, _ = strings.Cut(size, "\n")
	if n, err := strconv.Atoi(strings.TrimSpace(size)); err != nil || n != len(b) {
		tb.Fatalf("%s.hex has %d bytes, its note says %q", name, len(b), size)
	}
	return b
}

// Note returns the note of a vector.
func Note(tb testing.TB, name string) string {
	tb.Helper()
	return File(tb, name+".txt")
}

// Decoded returns what a vector decodes to, as its note says.
func Decoded(tb testing.TB, name string) string {
	tb.Helper()
	_, decoded, ok := strings.Cut(Note(tb, name), "\n\n")
	if !ok {
		tb.Fatalf("%s.txt does not tell what it decodes to", name)
	}
	return decoded
}

// ExpectAll fails the test unless the folder holds just these vectors, and other files.
// A vector that nobody reads, or one that went missing, must not pass as tested.
func ExpectAll(tb testing.TB, names []string, others ...string) {
	tb.Helper()
	entries, err := os.ReadDir(Dir)
	if err != nil {
		tb.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	want := slices.Clone(others)
	for _, v := range names {
		want = append(want, v+".hex", v+".txt")
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		tb.Errorf("files in %s:\ngot  %v\nwant %v", Dir, got, want)
	}
}

// File returns a file of the folder, which is not empty.
func File(tb testing.TB, name string) string {
	tb.Helper()
	b, err := os.ReadFile(filepath.Join(Dir, name))
	if err != nil {
		tb.Fatal(err)
	}
	if len(b) == 0 {
		tb.Fatalf("%s is empty", name)
	}
	return string(b)
}
