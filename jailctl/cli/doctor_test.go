package cli

import (
	"errors"
	"testing"
)

func TestFinding_SaysHowBadItIs(t *testing.T) {
	for want, f := range map[string]finding{
		"ok       system":                       {what: "system"},
		"warning  network lan: slow":            {what: "network lan", warning: "slow"},
		"error    user: jails are made by root": {what: "user", err: errors.New("jails are made by root")},
	} {
		if got := f.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
