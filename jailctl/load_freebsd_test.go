package jailctl

import (
	"context"
	"syscall"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"jailshim/driver"
	"jailshim/jailctl/stage"
)

// A start that is killed when the program is about to run has told nobody of it.
func TestStatus_StarterKilled_IsAsTheProcessIs(t *testing.T) {
	rt := newRuntime(t)
	dir := rt.bundle(t, "s", spec("sleep", "1000"))
	k, err := rt.CreateDetached(context.Background(), &driver.CreateConfig{ID: "s", Bundle: dir}, Detached{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = syscall.Kill(k.Init().Pid, syscall.SIGKILL)
		waitFor(t, k.Init().Pid)
		if err := k.Delete(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	if got := k.Status(); got != specs.StateCreated {
		t.Errorf("status %s, want created", got)
	}
	if err := stage.GoAt(rt.store.goSocket(k.name), time.Now().Add(stageTimeout)); err != nil {
		t.Fatal(err)
	}
	loaded, err := rt.Load("s")
	if err != nil {
		t.Fatal(err)
	}
	if got := loaded.Status(); got != specs.StateRunning {
		t.Errorf("status %s, want running", got)
	}
}
