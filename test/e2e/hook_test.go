package e2e

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/containerd/containerd/v2/core/containers"
	"github.com/containerd/containerd/v2/pkg/cio"
	"github.com/containerd/containerd/v2/pkg/oci"
	"github.com/opencontainers/runtime-spec/specs-go"

	"jailshim/test/e2e/testbed"
)

// withHooks adds hooks to a spec.
func withHooks(change func(*specs.Hooks)) testbed.ProcessOption {
	return testbed.Spec(func(_ context.Context, _ oci.Client, _ *containers.Container, spec *oci.Spec) error {
		spec.Hooks = &specs.Hooks{}
		change(spec.Hooks)
		return nil
	})
}

// hookRecord is what the guest's command hook writes: at which point it ran, and what
// it was told of the container.
type hookRecord struct {
	Point string
	State specs.State
}

// hookRecords reads what hooks wrote to a file, which exists.
func hookRecords(t *testing.T, file string) []hookRecord {
	t.Helper()
	var records []hookRecord
	for line := range strings.Lines(string(readFile(t, file))) {
		var r hookRecord
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		records = append(records, r)
	}
	return records
}

func points(records []hookRecord) []string {
	var points []string
	for _, r := range records {
		points = append(points, r.Point)
	}
	return points
}

// TestE2E_Hooks_AllPoints_RunInOrderWithState: networks, GPU set-ups and nerdctl
// live in hooks; each counts on its moment, and on being told about the
// container.
func TestE2E_Hooks_AllPoints_RunInOrderWithState(t *testing.T) {
	s := space(t)
	dir := filepath.Join(s.Dir, "hooks")
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "ran")
	hook := func(path, point string) []specs.Hook {
		return []specs.Hook{{Path: path, Args: []string{"guest", "hook", file, point}, Env: []string{"E2E=1"}}}
	}
	c := s.New(t,
		testbed.Args("flood", filepath.Join(dir, "running")), testbed.IO(cio.NullIO),
		// The hook in the container writes to the same file.
		testbed.Spec(testbed.WithHostDir(dir, dir)),
		withHooks(func(h *specs.Hooks) {
			host := s.Daemon.Guest()
			h.Prestart = hook(host, "prestart") //nolint:staticcheck // deprecated, and still in use
			h.CreateRuntime = hook(host, "createRuntime")
			h.CreateContainer = hook(host, "createContainer")
			h.StartContainer = hook("/bin/guest", "startContainer")
			h.Poststart = hook(host, "poststart")
			h.Poststop = hook(host, "poststop")
		}))

	var records []hookRecord
	expect := func(when string, want ...string) {
		t.Helper()
		records = hookRecords(t, file)
		if points := points(records); !slices.Equal(points, want) {
			t.Fatalf("%s the hooks %v ran, want %v", when, points, want)
		}
	}
	c.Create(t)
	created := []string{"prestart", "createRuntime", "createContainer"}
	started := slices.Concat(created, []string{"startContainer", "poststart"})
	if testbed.PoststartAtCreate {
		created = append(created, "poststart")
		started = slices.Concat(created, []string{"startContainer"})
	}
	expect("after create", created...)
	c.Start(t)
	testbed.Until(t, "the container to run", func() error { // its own hook is the last thing before its program
		_, err := os.Stat(filepath.Join(dir, "running"))
		return err
	})
	expect("after start", started...)
	pid := int(c.Task.Pid())
	c.Remove(t)
	expect("after delete", append(started, "poststop")...)
	for _, r := range records {
		if r.State.ID != c.ID() || r.State.Bundle != s.Bundle(c.ID()) {
			t.Errorf("%s was told of container %q in bundle %q, want %q in %q", r.Point, r.State.ID, r.State.Bundle, c.ID(), s.Bundle(c.ID()))
		}
		switch r.Point {
		case "createContainer", "startContainer": // they may see it in the container's own numbers
		case "poststop":
			if r.State.Status != specs.StateStopped || r.State.Pid != 0 {
				t.Errorf("%s was told status %q and pid %d, want stopped and none", r.Point, r.State.Status, r.State.Pid)
			}
		default:
			if r.State.Pid != pid {
				t.Errorf("%s was told pid %d, want %d", r.Point, r.State.Pid, pid)
			}
		}
	}
}

// TestE2E_Hooks_CreateRuntimeFails_RefusedAndClean: without its network a container
// must not start, and the half-made one must not stay, nor what the hooks before did:
// nerdctl takes down networks after the end of a container.
func TestE2E_Hooks_CreateRuntimeFails_RefusedAndClean(t *testing.T) {
	s := space(t)
	file := filepath.Join(s.Dir, "ran")
	c := s.New(t, withHooks(func(h *specs.Hooks) {
		hook := func(args ...string) specs.Hook {
			return specs.Hook{Path: s.Daemon.Guest(), Args: append([]string{"guest", "hook", file}, args...)}
		}
		h.CreateRuntime = []specs.Hook{hook("first"), hook("second", "9"), hook("third")}
		h.Poststop = []specs.Hook{hook("poststop")}
	}))
	err := c.TryCreate()
	expectNames(t, "create", err, "hook")
	if got, want := points(hookRecords(t, file)), []string{"first", "second", "poststop"}; !slices.Equal(got, want) {
		t.Errorf("the hooks %v ran, want %v", got, want)
	}
	expectNothing(t, s, c)
}

// TestE2E_Hooks_Timeout_RefusedAndClean: a hook that hangs must not hang the
// daemon's call beyond the hook's own timeout.
func TestE2E_Hooks_Timeout_RefusedAndClean(t *testing.T) {
	s := space(t)
	second := 1
	c := s.New(t, withHooks(func(h *specs.Hooks) {
		h.CreateRuntime = []specs.Hook{{Path: s.Daemon.Guest(), Args: []string{"guest", "sleep", "inf"}, Timeout: &second}}
	}))
	expectNames(t, "create", c.TryCreate(), "hook")
	expectNothing(t, s, c)
}
