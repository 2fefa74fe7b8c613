package ipfw

import (
	"testing"

	"jailshim/internal/captured"
)

const (
	vectorRules = "rules-reply"
	vectorNATs  = "nat-list-reply"
)

// A vector that nobody reads, or one that went missing, must not pass as tested.
func TestVectors_AreThoseTested(t *testing.T) {
	names := []string{vectorRules, vectorNATs}
	for name := range messages(t) {
		names = append(names, name)
	}
	captured.ExpectAll(t, names)
}
