//go:build !freebsd

package link

import (
	"errors"
	"testing"
)

func TestUnsupported(t *testing.T) {
	_, list := List()
	_, sysctl := Sysctl("net.inet.ip.forwarding")
	for what, err := range map[string]error{"Run": Run(nil), "List": list, "Sysctl": sysctl, "SetSysctl": SetSysctl("x", 1)} {
		if !errors.Is(err, ErrUnsupported) || !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
