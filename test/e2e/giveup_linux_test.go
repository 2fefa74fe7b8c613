package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/containerd/containerd/v2/pkg/cio"
	"github.com/opencontainers/runtime-spec/specs-go"

	"jailshim/test/e2e/testbed"
)

// TestE2E_Create_GivenUp_NoShimStays: a client's time runs out while the container is
// being made. containerd asks the shim to end before that has taken all back. (On FreeBSD
// containerd leaves the bundle's folder: it can't unmount what the create still uses, and
// does not try again.)
func TestE2E_Create_GivenUp_NoShimStays(t *testing.T) {
	s := space(t)
	s.AnyEvents = true // nobody hears of what came of it
	dir := t.TempDir()
	began, end := filepath.Join(dir, "began"), filepath.Join(dir, "end")
	c := s.New(t, testbed.IO(cio.NullIO), withHooks(func(h *specs.Hooks) {
		h.CreateRuntime = []specs.Hook{{Path: "/bin/sh", Args: []string{
			"sh", "-c", fmt.Sprintf("touch %s; while [ ! -e %s ]; do sleep 0.1; done", began, end)}, Env: []string{"PATH=/bin:/usr/bin"}}}
	}))
	ctx, cancel := context.WithCancel(s.Ctx)
	defer cancel()
	created := make(chan error, 1)
	go func() {
		_, err := c.NewTask(ctx, cio.NullIO)
		created <- err
	}()
	exists := func(path string) bool {
		_, err := os.Stat(path)
		return err == nil
	}
	testbed.Until(t, "the hook to run", testbed.When(func() bool { return exists(began) }))
	cancel()
	if err := testbed.Receive(t, "the end of the call", created); err == nil {
		t.Error("a call that was given up succeeded")
	}
	testbed.Until(t, "containerd to give up the container", testbed.When(func() bool { return !exists(s.Bundle(c.ID())) }))
	if err := os.WriteFile(end, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s.ExpectClean(t)
}
