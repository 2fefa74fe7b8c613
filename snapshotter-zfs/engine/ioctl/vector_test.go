package ioctl

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
const (
	vectorNextCmd       = "zfs-dataset_list_next-cmd"
	vectorNext          = "zfs-dataset_list_next-reply"
	vectorNextSnapCmd   = "zfs-snapshot_list_next-cmd"
	vectorNextSnap      = "zfs-snapshot_list_next-reply"
	vectorExistsCmd     = "zfs-error-create-exists-cmd"
	vectorStatsStruct   = "zfs-objset_stats-cmd"
	vectorStats         = "zfs-objset_stats-reply"
	vectorStatsSnap     = "zfs-objset_stats-snapshot-reply"
	vectorBadProps      = "zfs-error-create-badprop"
	vectorSnapExists    = "zfs-error-snapshot-exists"
	vectorProgramFailed = "zfs-channel_program-error-reply"
)

var vectors = []string{
	vectorNextCmd, vectorNext, vectorNextSnapCmd, vectorNextSnap, vectorExistsCmd, vectorStatsStruct, vectorStats, vectorStatsSnap,
	vectorBadProps, vectorSnapExists, vectorProgramFailed,
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
	text, err := os.ReadFile(filepath.Join(vectorDir, name+".hex"))
	if err != nil {
		tb.Fatal(err)
	}
	var b []byte
	for i, line := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
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
	note, err := os.ReadFile(filepath.Join(vectorDir, name+".txt"))
	if err != nil {
		tb.Fatal(err)
	}
	_, size, _ := strings.Cut(string(note), "\nbytes: ")
	size, _, _ = strings.Cut(size, "\n")
	if n, err := strconv.Atoi(size); err != nil || n != len(b) {
		tb.Fatalf("%s.hex has %d bytes, its note says %q", name, len(b), size)
	}
	return b
}
