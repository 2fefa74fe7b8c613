//go:build !freebsd

package netsetup

import (
	"errors"
	"testing"
)

func TestLoopback_OtherSystems_Unsupported(t *testing.T) {
	if err := Loopback(); !errors.Is(err, ErrUnsupported) {
		t.Errorf("got %v, want ErrUnsupported", err)
	}
}
