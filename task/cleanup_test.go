package task

import (
	"testing"
	"time"

	"jailshim/driver"
	"jailshim/options"
)

func newCleanup(w *world, s *Service, id string) (*Cleanup, *[]string) {
	removed := new([]string)
	return &Cleanup{
		Namespace:  "ns",
		ID:         id,
		StateDir:   s.StateDir,
		NewRuntime: func(string, options.Options) (driver.Runtime, error) { return fakeRuntime{w}, nil },
		ShimSocket: func(string) string { return "" },
		RemoveShim: func(leader string) error { *removed = append(*removed, leader); return nil },
	}, removed
}

// containerd asks for one container of a group; the others have nobody else.
func TestCleanup_DeadShim_RemovesTheGroup(t *testing.T) {
	w := newWorld(t)
	s := w.service()
	pid := w.create(s, "a")
	w.create(s, "b")
	k, removed := newCleanup(w, s, "b")
	got, status, _, err := k.Run(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if status != killedStatus || got != pid+1 {
		t.Errorf("pid %d, status %d; want %d, %d", got, status, pid+1, killedStatus)
	}
	if n := records(t, s); n != 0 {
		t.Errorf("%d files left in the state folder", n)
	}
	if len(*removed) != 1 || (*removed)[0] != "leader" {
		t.Errorf("removed shims %q, want leader", *removed)
	}
	n := 0
	for _, c := range w.calls {
		if c == "Remove" {
			n++
		}
	}
	if n != 2 {
		t.Errorf("%d containers removed, want 2", n)
	}
}

func TestCleanup_RecordedExit_IsReported(t *testing.T) {
	w := newWorld(t)
	s := w.service()
	pid := w.create(s, "a")
	w.start(s, "a", "")
	w.end(pid, 3)
	w.wait(s, "a", "")
	k, _ := newCleanup(w, s, "a")
	got, status, at, err := k.Run(ctx)
	if err != nil || got != pid || status != 3 || time.Since(at) > waitLimit {
		t.Errorf("pid %d, status %d, at %v, %v", got, status, at, err)
	}
}

func TestCleanup_Repeated_Succeeds(t *testing.T) {
	w := newWorld(t)
	s := w.service()
	w.create(s, "a")
	for range 2 {
		k, _ := newCleanup(w, s, "a")
		if _, status, _, err := k.Run(ctx); err != nil || status != killedStatus {
			t.Errorf("status %d, %v", status, err)
		}
	}
}

// What could not be removed must still be known to the next attempt.
func TestCleanup_RuntimeFails_RecordStays(t *testing.T) {
	w := newWorld(t)
	s := w.service()
	w.create(s, "a")
	w.fail = "Remove"
	k, _ := newCleanup(w, s, "a")
	if _, _, _, err := k.Run(ctx); err == nil {
		t.Error("no error")
	}
	if records(t, s) == 0 {
		t.Error("the record is gone")
	}
}
