package ipfw

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// vectorDir holds what ipfw(8) sends and what a kernel answers: NAME.hex, sixteen
// bytes a line with their offset, and NAME.txt, which tells how it was captured.
const vectorDir = "testdata/15.1-amd64"

const (
	vectorRules = "rules-reply"
	vectorNATs  = "nat-list-reply"
)

// vector returns the bytes of a vector.
func vector(tb testing.TB, name string) []byte {
	tb.Helper()
	if _, err := os.Stat(filepath.Join(vectorDir, name+".txt")); err != nil {
		tb.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(vectorDir, name+".hex"))
	if err != nil {
		tb.Fatal(err)
	}
	var b []byte
	for line := range strings.Lines(string(text)) {
		dump, _, ok := strings.Cut(line, "|")
		fields := strings.Fields(dump)
		if !ok || len(fields) < 2 {
			tb.Fatalf("%s: not a line of a dump: %q", name, line)
		}
		part, err := hex.DecodeString(strings.Join(fields[1:], ""))
		if err != nil {
			tb.Fatalf("%s: %q: %v", name, line, err)
		}
		b = append(b, part...)
	}
	if len(b) == 0 {
		tb.Fatalf("%s is empty", name)
	}
	return b
}

// A vector that nobody reads, or one that went missing, must not pass as tested.
func TestVectors_AreThoseTested(t *testing.T) {
	entries, err := os.ReadDir(vectorDir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	want := []string{vectorRules + ".hex", vectorRules + ".txt", vectorNATs + ".hex", vectorNATs + ".txt"}
	for name := range messages(t) {
		want = append(want, name+".hex", name+".txt")
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("files in %s:\ngot  %v\nwant %v", vectorDir, got, want)
	}
}
