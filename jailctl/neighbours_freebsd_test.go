package jailctl

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"jailshim/driver"
)

// Of two containers of one bundle the first one's end takes nothing from the second,
// whose end takes everything.
func TestRuntime_SharedRoot_LastOneTakesTheMounts(t *testing.T) {
	for _, readonly := range []bool{false, true} {
		rt := newRuntime(t)
		s := spec("/sleep", "100")
		s.Root.Readonly = readonly
		s.Mounts = s.Mounts[:1] // the kernel refuses to mount a nullfs over itself
		dir := rt.bundle(t, "both", s)
		rescue, err := os.ReadFile("/rescue/sh")
		if err != nil {
			t.Fatal(err)
		}
		for _, program := range []string{"sh", "sleep"} {
			if err := os.WriteFile(filepath.Join(dir, "rootfs", program), rescue, 0o700); err != nil { //nolint:gosec // it is a program
				t.Fatal(err)
			}
		}
		for _, order := range [][]int{{0, 1}, {1, 0}} {
			var both []*life
			for _, id := range []string{"a", "b"} {
				l, err := rt.createConfig(t, &driver.CreateConfig{ID: id, Bundle: dir})
				if err != nil {
					t.Fatal(err)
				}
				l.start()
				both = append(both, l)
			}
			for _, i := range order {
				l := both[i]
				if status, out := l.exec(&specs.Process{Args: []string{"/sh", "-c", "test -c /dev/null && echo ok"}}); status != 0 || out != "ok\n" {
					t.Errorf("readonly %v, order %v: container %d: status %d, output %q", readonly, order, i, status, out)
				}
				if err := syscall.Kill(l.Init().Pid, syscall.SIGKILL); err != nil {
					t.Error(err)
				}
				l.wait()
				if err := l.Delete(context.Background()); err != nil {
					t.Error(err)
				}
			}
			rt.expectClean(t)
		}
	}
}

func TestRuntime_RootOfTheHost_Refused(t *testing.T) {
	rt := newRuntime(t)
	s := spec("true")
	s.Root.Path = "/"
	if _, err := rt.tryCreate(t, "host", s); !errdefs.IsInvalidArgument(err) {
		t.Errorf("got error %v, want one wrapping ErrInvalidArgument", err)
	}
}

// rc(8) removes files below /var/run when the machine starts, and no folders, which
// changes these.
func TestRuntime_StateWentWithTheBoot_MadeAnew(t *testing.T) {
	rt := newRuntime(t)
	if err := rt.store.reserve(rt.name("old")); err != nil {
		t.Fatal(err)
	}
	folder := rt.store.folder(rt.name("old"))
	// A time before that of its birth becomes that, too (utimes(2)).
	if err := os.Chtimes(folder, time.Time{}, time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(folder, time.Time{}, time.Now()); err != nil {
		t.Fatal(err)
	}
	if status, _ := rt.run(t, "old", spec("sh", "-c", "exit 0")); status != 0 {
		t.Errorf("status %d", status)
	}
}
