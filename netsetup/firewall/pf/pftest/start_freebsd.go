package pftest

import (
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"jailshim/jailctl/kernel"
	"jailshim/netsetup/link"
)

// Enable is [Start] for one test, to its end. Only root can.
func Enable(tb testing.TB, rules string) {
	tb.Helper()
	stop, err := Start(rules)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := stop(); err != nil {
			tb.Error(err)
		}
	})
}

// Start has pf filter, also what the host sends to itself, with main rules in place of
// those that it had. Stop disables pf and removes all its rules.
func Start(rules string) (stop func() error, err error) {
	if err := kernel.LoadModule("pf"); err != nil {
		return nil, fmt.Errorf("load the module pf: %w", err)
	}
	// It is read when pf is enabled.
	const local = "net.pf.filter_local"
	before, err := link.Sysctl(local)
	if err != nil {
		return nil, err
	}
	stop = func() error {
		disable()
		return errors.Join(pfctl("", "-F", "all"), link.SetSysctl(local, before))
	}
	disable()
	err = link.SetSysctl(local, 1)
	for _, args := range [][]string{{"-f", "-"}, {"-e"}} {
		if err == nil {
			err = pfctl(rules, args...)
		}
	}
	if err != nil {
		return nil, errors.Join(err, stop())
	}
	return stop, nil
}

// disable disables pf, which is an error if it is disabled.
func disable() { _ = pfctl("", "-d") }

func pfctl(in string, args ...string) error {
	cmd := exec.Command("pfctl", append([]string{"-q"}, args...)...)
	cmd.Stdin = strings.NewReader(in)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("pfctl %q: %w: %s", args, err, out)
	}
	return nil
}
