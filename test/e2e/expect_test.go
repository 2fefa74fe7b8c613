package e2e

import (
	"errors"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/containerd/errdefs/pkg/errgrpc"

	"jailshim/test/e2e/testbed"
)

// expectClass fails the test unless err is of one of the given errdefs classes.
// It takes errors as clients and as raw connections give them.
func expectClass(t *testing.T, what string, err error, classes ...error) {
	t.Helper()
	native := errgrpc.ToNative(err)
	is := func(class error) bool { return errors.Is(err, class) || errors.Is(native, class) }
	if !slices.ContainsFunc(classes, is) {
		t.Errorf("%s: got error %v, want one of class %v", what, err, classes)
	}
}

// expectNames fails the test unless err is an error that names text: an operator
// should read what is wrong in it.
func expectNames(t *testing.T, what string, err error, text string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), text) {
		t.Errorf("%s: got error %v, want one that names %q", what, err, text)
	}
}

// expectRefused fails the test unless a task can't be created with these options,
// for a reason that names text, and nothing remains of the attempt: no event, no
// process, no file, and the id is good for another container.
func expectRefused(t *testing.T, s *testbed.Space, text string, opts ...testbed.ProcessOption) {
	t.Helper()
	c := s.New(t, opts...)
	err := c.TryCreate()
	expectNames(t, "create", err, text)
	expectNothing(t, s, c)
}

// expectNothing fails the test unless nothing remains of a container that was
// refused.
func expectNothing(t *testing.T, s *testbed.Space, c *testbed.Container) {
	t.Helper()
	s.ExpectClean(t)
	if events := s.Events.Of(c.ID()); len(events) > 0 && testbed.Runtime == testbed.OurRuntime {
		t.Errorf("a container that never was has the events %v", events)
	}
	c.Forget(t)
	again := s.Run(t, testbed.ID(c.ID()), testbed.Args("exit", "7"))
	if got := again.Exited(t); got != 7 {
		t.Errorf("another container of the same id: exit status %d, want 7", got)
	}
	again.Remove(t)
}

// errShort is for conditions that want more of something.
var errShort = errors.New("there is not all of it")

// exitCode returns the exit status that the error of a command stands for.
func exitCode(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	default:
		return -1
	}
}
