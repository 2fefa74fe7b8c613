package shim

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
)

// testServer is what a server has, without the server.
type testServer struct {
	*folder
	socket socketAddress
	refuse func() // clients
	die    func() // what the kernel does when a server is killed
}

func newTestServer(t *testing.T, state, leader string, socket socketAddress) *testServer {
	t.Helper()
	l, err := socket.listenOrJoin()
	if err != nil || l == nil {
		t.Fatalf("got %v, %v; want a listener", l, err)
	}
	t.Setenv("XDG_RUNTIME_DIR", "") // put back after the test
	f, err := makeFolder(state, "ns", leader, string(socket))
	if err != nil {
		t.Fatal(err)
	}
	refuse := func() { l.Close() }
	return &testServer{f, socket, refuse, func() { refuse(); f.unlock() }}
}

// A leader that is deleted and made anew, in no group now, starts a second server.
func TestFolder_LeaderMadeAnew_ServersAreApart(t *testing.T) {
	state := t.TempDir()
	first := newTestServer(t, state, "a", testAddress(t))
	defer first.die()
	second := newTestServer(t, state, "a", testAddress(t))
	want := []string{first.name, second.name}
	slices.Sort(want)
	if got := Servers(state, "ns", "a"); !slices.Equal(got, want) {
		t.Errorf("servers of the leader: %q, want %q", got, want)
	}
	if got := Servers(state, "ns2", "a"); len(got) != 0 {
		t.Errorf("servers of the same id in another namespace: %q", got)
	}
	second.die()
	if got := ServerSocket(state, "ns", second.name); got != "" {
		t.Errorf("the dead server listens on %s", got)
	}
	if err := RemoveServer(state, "ns", second.name); err != nil {
		t.Error(err)
	}
	if err := second.socket.dial(); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("socket of the removed server: %v, want ENOENT", err)
	}
	if got := ServerSocket(state, "ns", first.name); got != string(first.socket) {
		t.Errorf("the living server listens on %q", got)
	}
	if got := Servers(state, "ns", "a"); !slices.Equal(got, []string{first.name}) {
		t.Errorf("servers that are left: %q", got)
	}
}

// The next server of a group takes the place of a dead one before that is cleaned up.
func TestFolder_AnotherServerOnTheSocket_IsNotTakenForIt(t *testing.T) {
	state, socket := t.TempDir(), testAddress(t)
	first := newTestServer(t, state, "a", socket)
	first.die()
	second := newTestServer(t, state, "b", socket)
	defer second.die()
	if got := ServerSocket(state, "ns", first.name); got != "" {
		t.Error("the dead server is taken for alive")
	}
	if err := RemoveServer(state, "ns", first.name); err != nil {
		t.Error(err)
	}
	if got := ServerSocket(state, "ns", second.name); got != string(socket) {
		t.Errorf("the living server listens on %q", got)
	}
}

// A server may be too busy to accept anybody, which FreeBSD tells like one that is gone.
func TestServerSocket_LockedButRefusing_Lives(t *testing.T) {
	state := t.TempDir()
	s := newTestServer(t, state, "a", testAddress(t))
	s.refuse()
	if got := ServerSocket(state, "ns", s.name); got != string(s.socket) {
		t.Errorf("the server is taken for dead: socket %q", got)
	}
	s.die()
	if got := ServerSocket(state, "ns", s.name); got != "" {
		t.Errorf("the dead server listens on %s", got)
	}
}

// A folder that is just being made belongs to a server that lives.
func TestServers_NoSocketYet_LeftOut(t *testing.T) {
	state := t.TempDir()
	if err := os.MkdirAll(filepath.Join(state, foldersDir, namePrefix("ns", "a")+"1"), 0o700); err != nil {
		t.Fatal(err)
	}
	if got := Servers(state, "ns", "a"); len(got) != 0 {
		t.Errorf("got %q", got)
	}
}

// Before servers had names of their own, records had the leader's id.
func TestFolder_NamedByItsLeader_IsFoundAndRemoved(t *testing.T) {
	state, socket := t.TempDir(), testAddress(t)
	l, err := socket.listenOrJoin()
	if err != nil || l == nil {
		t.Fatalf("got %v, %v; want a listener", l, err)
	}
	dir := filepath.Join(state, foldersDir, digest(12, "ns/a"))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(string(socket), filepath.Join(dir, socketFile)); err != nil {
		t.Fatal(err)
	}
	if got := ServerSocket(state, "ns", "a"); got != string(socket) {
		t.Errorf("the living server listens on %q", got)
	}
	l.Close()
	if got := ServerSocket(state, "ns", "a"); got != "" {
		t.Errorf("the dead server listens on %s", got)
	}
	if err := RemoveServer(state, "ns", "a"); err != nil {
		t.Error(err)
	}
	for _, path := range []string{dir, string(socket)} {
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: %v, want none", path, err)
		}
	}
}
