package jailctl

import (
	"context"
	"os/exec"
	"slices"
	"syscall"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

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

// The containers of a pod are in the jail of the first one; each is ended by itself.
func TestKillAll_JailWithContainersInIt_TheyGoOn(t *testing.T) {
	rt := newRuntime(t)
	s := spec("sleep", "1000")
	s.Annotations = map[string]string{"org.freebsd.jail.children.max": "5"}
	first := rt.create(t, "first", s)
	first.start()
	name := first.Container.(*Container).JailName()
	s = spec("sleep", "1000")
	s.Annotations = map[string]string{"org.freebsd.parentJail": name}
	member := rt.create(t, "member", s)
	member.start()
	// A jail that the first one's processes might have made is its own.
	inner, err := kernel.CreateJail([]kernel.Param{
		kernel.String("name", name+".inner"), kernel.String("path", "/"), kernel.Bool("persist", true), kernel.Int("enforce_statfs", 2),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer inner.Close()
	loaded, err := rt.Load("first")
	if err != nil {
		t.Fatal(err)
	}
	for who, k := range map[string]*Container{"the maker": first.Container.(*Container), "another process": loaded} {
		jids, err := k.jids()
		if err != nil || !slices.Equal(jids, []int{k.state.JID, inner.ID}) {
			t.Errorf("%s: jails %v, %v, want %d and %d", who, jids, err, k.state.JID, inner.ID)
		}
	}
	if err := loaded.KillAll(context.Background(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	waitFor(t, first.Init().Pid)
	if status := member.Container.(*Container).Status(); status != specs.StateRunning {
		t.Errorf("the other container is %s", status)
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
