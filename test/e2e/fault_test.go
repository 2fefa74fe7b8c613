package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	containerd "github.com/containerd/containerd/v2/client"

	"jailshim/internal/fault"
	"jailshim/test/e2e/testbed"
)

// buildFaultShim builds the shim that obeys the file of faults, and returns its
// folder.
func buildFaultShim(t *testing.T) string {
	t.Helper()
	const name = "containerd-shim-jail-v2"
	path, err := testbed.Build(t.TempDir(), filepath.Join("faultinject", name), "./cmd/"+name, "-tags", "faultinject")
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Dir(path)
}

// TestE2E_Fault_EachPoint_NothingLeft: power, memory and disks fail in the middle of
// things. Whatever step of a container's life fails, or is the shim's last, the
// client gets an answer, the daemon lives, nothing is left over, and the id can
// be used again.
func TestE2E_Fault_EachPoint_NothingLeft(t *testing.T) {
	testbed.Require(t, testbed.Root, testbed.OurShim)
	if len(fault.Points) == 0 {
		t.Fatal("there are no points to inject a fault at")
	}
	points := fault.Points
	if testbed.RunsJails(t) {
		points = slices.Concat(points, fault.JailPoints)
	}
	shimDir := buildFaultShim(t)
	for _, action := range []string{"error", "kill"} {
		t.Run(action, func(t *testing.T) {
			t.Parallel()
			faults := filepath.Join(t.TempDir(), "faults")
			d := testbed.NewDaemon(t, testbed.WithShimDir(shimDir), testbed.WithEnv("JAILSHIM_FAULTS="+faults))
			for _, point := range points {
				t.Run(point, func(t *testing.T) {
					s := d.NewSpace(t)
					// Of a shim that was killed in the middle, containerd tells
					// an end of what it may never have told the beginning.
					s.AnyEvents = action == "kill"
					setFault := func(text string) {
						t.Helper()
						if err := os.WriteFile(faults, []byte(text), 0o644); err != nil {
							t.Fatal(err)
						}
					}
					setFault(point + "=" + action + "\n")
					err := wholeLife(s, s.New(t, testbed.ID("victim")))
					t.Logf("with the fault: %v", err)
					if err == nil {
						t.Error("the fault had no effect: no step of a container's life failed")
					}
					setFault("")
					s.RemoveAll(t)
					s.ExpectClean(t)
					if err := wholeLife(s, s.New(t, testbed.ID("victim"))); err != nil {
						t.Errorf("the same again without the fault: %v", err)
					}
				})
			}
		})
	}
}

// wholeLife creates, starts, execs, kills and deletes, up to the first error. No
// step may take longer than a patient user would wait.
func wholeLife(s *testbed.Space, c *testbed.Container) error {
	var p *testbed.Process
	for _, step := range []struct {
		name string
		do   func(ctx context.Context) error
	}{
		{"create", func(context.Context) error { return c.TryCreate() }},
		{"start", func(ctx context.Context) error { return c.Task.Start(ctx) }},
		{"exec", func(context.Context) (err error) {
			p, err = c.TryExec("x", testbed.Args("true"))
			return err
		}},
		{"start exec", func(ctx context.Context) error { return p.Process.Start(ctx) }},
		{"wait for exec", func(ctx context.Context) error {
			select {
			case <-p.Ended():
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}},
		{"delete exec", func(ctx context.Context) error {
			_, err := p.Delete(ctx)
			return err
		}},
		{"delete", func(ctx context.Context) error {
			_, err := c.Task.Delete(ctx, containerd.WithProcessKill)
			return err
		}},
		{"forget", func(ctx context.Context) error {
			return c.Delete(ctx, containerd.WithSnapshotCleanup)
		}},
	} {
		ctx, cancel := context.WithTimeout(s.Ctx, testbed.Patience)
		done := make(chan error, 1)
		go func() { done <- step.do(ctx) }() // ends with its step, or with the space's context
		var err error
		select {
		case err = <-done:
		case <-ctx.Done():
			err = fmt.Errorf("no answer within %v", testbed.Patience)
		}
		cancel()
		if err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return nil
}
