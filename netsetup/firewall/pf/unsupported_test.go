//go:build !freebsd

package pf

import (
	"errors"
	"net/netip"
	"testing"
)

func TestCalls_OtherSystems_Unsupported(t *testing.T) {
	_, _, running := Running()
	_, exists := Exists("x")
	_, anchors := Anchors("x")
	for i, err := range []error{running, exists, anchors, Flush("x"), KillStates(netip.Addr{})} {
		if !errors.Is(err, ErrUnsupported) {
			t.Errorf("call %d: got %v, want ErrUnsupported", i, err)
		}
	}
}
