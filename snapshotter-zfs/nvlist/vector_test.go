package nvlist

import (
	"testing"

	"jailshim/internal/captured"
)

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

// A vector that nobody reads, or one that went missing, must not pass as tested.
func TestVectors_AreThoseTested(t *testing.T) {
	captured.ExpectAll(t, vectors)
}
