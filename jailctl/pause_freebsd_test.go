package jailctl

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"jailshim/driver"
	"jailshim/jailctl/kernel"
)

// counting is a running container that writes to a file all the time.
func counting(t *testing.T, rt *testRuntime) (l *life, file string) {
	t.Helper()
	l = rt.create(t, "p", spec("sh", "-c", "while :; do date +%s >> /count; sleep 0.05; done"))
	l.start()
	return l, filepath.Join(rt.dir, "p", "rootfs", "count")
}

// expectGrowth fails the test if the file does not grow.
func expectGrowth(t *testing.T, file string) {
	t.Helper()
	size := func() int64 {
		fi, err := os.Stat(file)
		if err != nil {
			return 0
		}
		return fi.Size()
	}
	before := size()
	for end := time.Now().Add(10 * time.Second); size() == before; time.Sleep(longPause) {
		if time.Now().After(end) {
			t.Fatal("the container does not go on")
		}
	}
}

func TestPause_Twice_ResumeWakesAll(t *testing.T) {
	rt := newRuntime(t)
	l, file := counting(t, rt)
	for range 2 {
		if err := l.Pause(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Resume(context.Background()); err != nil {
		t.Fatal(err)
	}
	expectGrowth(t, file)
}

// Whoever comes later must find a pause that was not brought to its end.
func TestPause_StateCannotBeSaved_NothingIsStopped(t *testing.T) {
	rt := newRuntime(t)
	l, file := counting(t, rt)
	k := l.Container.(*Container)
	if err := os.Rename(k.Folder(), k.Folder()+"-away"); err != nil {
		t.Fatal(err)
	}
	err := l.Pause(context.Background())
	if rerr := os.Rename(k.Folder()+"-away", k.Folder()); rerr != nil {
		t.Fatal(rerr)
	}
	if err == nil || k.Status() != specs.StateRunning {
		t.Errorf("got error %v, status %s; want an error, running", err, k.Status())
	}
	expectGrowth(t, file)
}

func TestPause_NotInTime_AllGoOn(t *testing.T) {
	rt := newRuntime(t)
	l, file := counting(t, rt)
	ctx, cancel := context.WithDeadline(context.Background(), time.Now().Add(-time.Second))
	defer cancel()
	if err := l.Pause(ctx); err == nil {
		t.Error("it has been paused in no time")
	}
	loaded, err := rt.Load("p")
	if err != nil {
		t.Fatal(err)
	}
	if got := loaded.Status(); got != specs.StateRunning {
		t.Errorf("status %s, want running", got)
	}
	expectGrowth(t, file)
}

// A process that was stopped before the pause is not woken by its end.
func TestResume_StoppedBefore_StaysSo(t *testing.T) {
	rt := newRuntime(t)
	l, file := counting(t, rt)
	x, err := l.Exec(context.Background(), &driver.ExecConfig{ID: "x", Spec: &specs.Process{Args: []string{"/rescue/sleep", "1000"}, Cwd: "/"}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { waitFor(t, x.Pid) }()
	defer func() { _ = syscall.Kill(x.Pid, syscall.SIGKILL) }()
	if err := syscall.Kill(x.Pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	stopped := func() bool {
		p, err := kernel.ProcessByID(x.Pid)
		return err == nil && p.Stat == kernel.ProcStop
	}
	for end := time.Now().Add(10 * time.Second); !stopped(); time.Sleep(longPause) {
		if time.Now().After(end) {
			t.Fatal("it does not stop")
		}
	}
	if err := l.Pause(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := l.Resume(context.Background()); err != nil {
		t.Fatal(err)
	}
	expectGrowth(t, file)
	if !stopped() {
		t.Error("it goes on")
	}
}
