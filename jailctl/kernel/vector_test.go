package kernel

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// vectorDir holds what a kernel wrote or took. A vector NAME is NAME.hex, sixteen
// bytes a line with their offset, and NAME.txt, which tells how it was captured, its
// size and what it decodes to.
const vectorDir = "testdata/15.1-amd64"

// The vectors. A file that is in the folder and not here, or the other way round,
// fails TestVectors_AreThoseTested.
const (
	vectorDevRule   = "devfs_rule-rapply-unhide-mem"
	vectorMounts    = "getfsstat-jail-mounts"
	vectorIPv4      = "jail_get-ip4.addr"
	vectorProcesses = "kern.proc.proc"
	vectorJailed    = "kern.proc.pid-jailed"
	vectorKilled    = "kern.proc.pid-oomkilled-zombie"
	vectorUsage     = "rctl-get_racct"
	vectorPTY       = "pty-TIOCGPTN"

	// fileParams is a list, without bytes.
	fileParams = "security.jail.param.txt"
)

var vectors = []string{
	vectorDevRule, vectorMounts, vectorIPv4, vectorProcesses, vectorJailed, vectorKilled, vectorUsage, vectorPTY,
}

// TestVectors_AreThoseTested keeps a vector that nobody reads, or one that went
// missing, from passing as tested.
func TestVectors_AreThoseTested(t *testing.T) {
	entries, err := os.ReadDir(vectorDir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	want := []string{fileParams}
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
	text := vectorFile(tb, name+".hex")
	var b []byte
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
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
	for line := range strings.Lines(vectorNote(tb, name)) {
		if size, ok := strings.CutPrefix(line, "bytes: "); ok {
			if n, err := strconv.Atoi(strings.TrimSpace(size)); err != nil || n != len(b) {
				tb.Fatalf("%s.hex has %d bytes, its note says %q", name, len(b), size)
			}
			return b
		}
	}
	tb.Fatalf("%s.txt does not tell the size", name)
	return nil
}

// vectorNote returns the note of a vector.
func vectorNote(tb testing.TB, name string) string {
	tb.Helper()
	return vectorFile(tb, name+".txt")
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
