package jailctl

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
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

// Who was killed while it held the lock may have had a longer number.
func TestSign_AfterALongerOne_IsRead(t *testing.T) {
	rt := New(Config{Root: filepath.Join(t.TempDir(), "root")})
	l, err := rt.Lock("web")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Unlock()
	if _, err := l.file.WriteAt([]byte(`{"Pid":99999999,"Start":{"Sec":1,"Usec":999999}}                        }`), 0); err != nil {
		t.Fatal(err)
	}
	rt.sign(l)
	b, err := os.ReadFile(l.file.Name())
	if err != nil {
		t.Fatal(err)
	}
	var id ProcessID
	if err := json.Unmarshal(b, &id); err != nil || id.Pid != os.Getpid() {
		t.Errorf("the lock's file says %q: %v", b, err)
	}
}
