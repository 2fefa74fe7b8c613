package pf

import (
	"testing"

	"jailshim/internal/captured"
)

const vectorStatus = "status-enabled"

// A vector that nobody reads, or one that went missing, must not pass as tested.
func TestVectors_AreThoseTested(t *testing.T) {
	captured.ExpectAll(t, []string{vectorStatus})
}
