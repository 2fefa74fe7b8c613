package e2e

import (
	"slices"
	"strings"
	"testing"

	"jailshim/test/e2e/testbed"
)

// TestE2E_Leftovers_RunningContainer_IsOneOfEveryKind: every other test relies on this
// search to find what a shim forgets; so it must find all that a container has
// while it runs.
func TestE2E_Leftovers_RunningContainer_IsOneOfEveryKind(t *testing.T) {
	s := space(t)
	if left := s.Leftovers(); len(left) > 0 {
		t.Errorf("before anything ran, there is %q", left)
	}
	c := s.Run(t, testbed.Args("signal-trap"))
	c.Out.Await(t, "ready\n") // it is the program now, no more the runtime
	kinds := []string{"process", "container", "mount", "bundle", "work folder"}
	if testbed.Runtime == testbed.OurRuntime {
		kinds = append(kinds, "socket", "state file")
	}
	left := s.Leftovers()
	for _, kind := range kinds {
		if !slices.ContainsFunc(left, func(line string) bool { return strings.HasPrefix(line, kind+" ") }) {
			t.Errorf("of a running container no %s was found, only %q", kind, left)
		}
	}
	for _, program := range []string{"shim", "signal-trap"} {
		if !slices.ContainsFunc(left, func(line string) bool {
			return strings.HasPrefix(line, "process ") && strings.Contains(line, program)
		}) {
			t.Errorf("of a running container no process %s was found, only %q", program, left)
		}
	}
	c.Remove(t)
	s.ExpectClean(t)
}
