package task

import (
	"context"
	"net"
	"path/filepath"
	"slices"
	"testing"
	"time"

	taskapi "github.com/containerd/containerd/api/runtime/task/v2"
	"github.com/containerd/ttrpc"

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
		Shims:      func(string) []string { return nil },
		ShimSocket: func(string) string { return "" },
		RemoveShim: func(name string) error { *removed = append(*removed, name); return nil },
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
	if len(*removed) != 1 || (*removed)[0] != "shim1" {
		t.Errorf("removed shims %q, want shim1", *removed)
	}
	if n := w.count("Remove"); n != 2 {
		t.Errorf("%d containers removed, want 2", n)
	}
}

// A shim that was killed closes its connections before the lock that tells that it lives.
func TestCleanup_ShimDiesMeanwhile_IsTakenForDead(t *testing.T) {
	for _, id := range []string{"a", "unknown"} { // with a record and without
		w := newWorld(t)
		s := w.service()
		w.create(s, "a")
		k, removed := newCleanup(w, s, id)
		k.Shims = func(string) []string { return []string{s.Shim} }
		socket := filepath.Join(t.TempDir(), "s")
		l, err := net.Listen("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		asked := 0
		k.ShimSocket = func(string) string {
			switch asked++; asked {
			case 1: // closes what is connected
				go func() { // goroutine: ends with the connection, or the listener
					if conn, err := l.Accept(); err == nil {
						conn.Close()
					}
				}()
			case 2: // accepts nobody
				l.Close()
			default:
				return ""
			}
			return socket
		}
		if _, _, _, err := k.Run(ctx); err != nil {
			t.Errorf("%s: %v", id, err)
		}
		if w.count("Remove") != 1 || !slices.Contains(*removed, s.Shim) {
			t.Errorf("%s: %d containers removed, and shims %q", id, w.count("Remove"), *removed)
		}
	}
}

// A container that is deleted and made anew starts a second shim while the first
// one still serves others.
func TestCleanup_LeaderMadeAnew_OthersAreSpared(t *testing.T) {
	w := newWorld(t)
	first := w.service()
	w.create(first, "b")
	second := w.service()
	second.StateDir = first.StateDir
	w.create(second, "a")
	k, removed := newCleanup(w, second, "a")
	if _, _, _, err := k.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if n := w.count("Remove"); n != 1 {
		t.Errorf("%d containers removed, want 1", n)
	}
	if !slices.Equal(*removed, []string{second.Shim}) {
		t.Errorf("removed shims %q, want %s", *removed, second.Shim)
	}
	if _, err := readRecord(first.StateDir, "ns", "b"); err != nil {
		t.Errorf("the record of the other shim's container: %v", err)
	}
}

// listen serves a service on a socket.
func listen(t *testing.T, s *Service) string {
	t.Helper()
	server, err := ttrpc.NewServer()
	if err != nil {
		t.Fatal(err)
	}
	s.Register(server)
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	// goroutine: of this test; ends when the server is closed.
	go server.Serve(ctx, l)
	t.Cleanup(func() { server.Close() })
	return socket
}

// Only this one is removed of what the shim serves, or served, that does not know it.
func TestCleanup_ShimKnowsNothing_ContainerIsRemoved(t *testing.T) {
	w := newWorld(t)
	dead, fresh := w.service(), w.service()
	fresh.StateDir = dead.StateDir
	w.create(dead, "x")
	w.create(fresh, "y")
	k, removed := newCleanup(w, dead, "x")
	socket := listen(t, fresh)
	k.ShimSocket = func(string) string { return socket }
	for range 2 {
		if _, _, _, err := k.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if n := w.count("Remove"); n != 1 {
			t.Errorf("%d containers removed, want 1", n)
		}
	}
	if n := records(t, dead); n != 1 {
		t.Errorf("%d records, want that of y", n)
	}
	if len(*removed) != 0 {
		t.Errorf("removed the living shim %q", *removed)
	}
}

// containerd loses a shim when it gives up a Create. The shim takes that back, and
// two must not do so at once.
func TestCleanup_CreateUnderWay_IsLeftToTheShim(t *testing.T) {
	w := newWorld(t)
	s := w.service()
	socket := listen(t, s)
	gone, cancel := context.WithCancel(ctx)
	w.during["Create"] = func(int) {
		cancel()
		k, _ := newCleanup(w, s, "a")
		k.ShimSocket = func(string) string { return socket }
		if _, _, _, err := k.Run(ctx); err != nil {
			t.Error(err)
		}
	}
	if _, err := s.rpcCreate(gone, &taskapi.CreateTaskRequest{ID: "a", Bundle: "/b"}); err == nil {
		t.Fatal("Create succeeded")
	}
	if n := w.count("Remove"); n != 0 {
		t.Error("the cleanup removed the container as well")
	}
	if n := records(t, s); n != 0 || w.count("Delete") != 1 || w.count("shutdown") != 1 {
		t.Errorf("%d records, calls %q", n, w.calls)
	}
}

// A shim that was started for a container which was never created.
func TestCleanup_NoRecord_ItsShimsEnd(t *testing.T) {
	w := newWorld(t)
	dead, alive := w.service(), w.service()
	alive.StateDir = dead.StateDir
	w.create(dead, "other")
	k, removed := newCleanup(w, dead, "a")
	k.Shims = func(leader string) []string {
		if leader != "a" {
			t.Errorf("asked for the shims of %s", leader)
		}
		return []string{dead.Shim, alive.Shim}
	}
	socket := listen(t, alive)
	k.ShimSocket = func(name string) string {
		if name == alive.Shim {
			return socket
		}
		return ""
	}
	if _, _, _, err := k.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if n := w.count("shutdown"); n != 1 {
		t.Errorf("the idle shim was ended %d times, want once", n)
	}
	if n := w.count("Remove"); n != 1 {
		t.Errorf("%d containers of the dead shim removed, want 1", n)
	}
	// The last one is how shims were called once.
	if want := []string{dead.Shim, "a"}; !slices.Equal(*removed, want) {
		t.Errorf("removed shims %q, want %q", *removed, want)
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
