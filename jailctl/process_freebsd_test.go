package jailctl

import (
	"context"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"jailshim/jailctl/kernel"
)

// A number is given to another jail when its own is gone: after a restart of the
// machine, or when it is asked for.
func TestProcesses_NumberIsAnotherJails_AreNotSeenNorSignalled(t *testing.T) {
	rt := newRuntime(t)
	l := rt.create(t, "web", spec("sleep", "1000"))
	l.start()
	loaded, err := rt.Load("web")
	if err != nil {
		t.Fatal(err)
	}
	jid := loaded.state.JID
	if err := l.KillAll(context.Background(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	l.wait()
	other := jailOfNumber(t, jid)
	cmd := exec.Command("/rescue/sleep", "1000")
	cmd.SysProcAttr = &syscall.SysProcAttr{Jail: other.ID}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Wait() }()
	defer func() { _ = cmd.Process.Kill() }()
	for name, k := range map[string]*Container{"the maker": l.Container.(*Container), "another process": loaded} {
		if pids, err := k.Pids(context.Background()); err != nil || len(pids) > 0 {
			t.Errorf("%s: processes %v, %v, want none", name, pids, err)
		}
		if err := k.KillAll(context.Background(), syscall.SIGKILL); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if p, err := kernel.ProcessByID(cmd.Process.Pid); err != nil || p.Stat == kernel.ProcZombie {
		t.Errorf("the other jail's process: %+v, %v, want it alive", p, err)
	}
}

// jailOfNumber makes a jail with a number that a jail which dies may still have.
func jailOfNumber(t *testing.T, jid int) *kernel.Jail {
	t.Helper()
	params := []kernel.Param{
		kernel.Int("jid", int32(jid)), kernel.String("name", "jt-other"), kernel.String("path", "/"), kernel.Bool("persist", true),
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(longPause) {
		j, err := kernel.CreateJail(params)
		if err == nil {
			t.Cleanup(func() {
				if err := j.Remove(); err != nil {
					t.Error(err)
				}
			})
			return j
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}
