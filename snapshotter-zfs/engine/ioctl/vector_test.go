package ioctl

import (
	"testing"

	"jailshim/internal/captured"
)

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

// A vector that nobody reads, or one that went missing, must not pass as tested.
func TestVectors_AreThoseTested(t *testing.T) {
	captured.ExpectAll(t, vectors)
}
