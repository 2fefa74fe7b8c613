package link

import (
	"testing"

	"jailshim/internal/captured"
)

// The vectors that are read by name. Those of calls are in callVectors.
const (
	vectorList       = "net-iflistl"
	vectorAnnounce   = "net-route-socket-queued-message"
	vectorND6        = "net-SIOCGIFINFO-IN6-eth0-reply"
	vectorND6Request = "net-SIOCGIFINFO-IN6-eth0-sent"
)

// A vector that nobody reads, or one that went missing, must not pass as tested.
func TestVectors_AreThoseTested(t *testing.T) {
	names := []string{vectorList, vectorAnnounce, vectorND6, vectorND6Request, vectorMember}
	for name := range callVectors() {
		names = append(names, name)
	}
	captured.ExpectAll(t, names)
}
