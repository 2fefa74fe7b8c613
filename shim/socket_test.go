package shim

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

func testAddress(t *testing.T) socketAddress {
	t.Helper()
	// t.TempDir can be too long for a socket.
	dir, err := os.MkdirTemp("", "js")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	a, err := newSocketAddress(filepath.Join(dir, "s"), "/run/c.sock", "default", "web")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// leaveDead leaves a socket as a server does that was killed.
func leaveDead(t *testing.T, a socketAddress) {
	t.Helper()
	l, err := a.listenOrJoin()
	if err != nil || l == nil {
		t.Fatalf("got %v, %v; want a listener", l, err)
	}
	l.Close()
	if _, err := os.Stat(string(a)); err != nil {
		t.Fatalf("the dead socket should still be there: %v", err)
	}
}

func TestNewSocketAddress_LongNames_SameLength(t *testing.T) {
	short, err := newSocketAddress("/run/s", "/a", "n", "g")
	if err != nil {
		t.Fatal(err)
	}
	long, err := newSocketAddress("/run/s", strings.Repeat("a", 500), strings.Repeat("n", 76), strings.Repeat("g", 300))
	if err != nil {
		t.Fatal(err)
	}
	if len(short) != len(long) {
		t.Errorf("lengths %d and %d", len(short), len(long))
	}
}

func TestNewSocketAddress_LongFolder_NamesSetting(t *testing.T) {
	_, err := newSocketAddress("/"+strings.Repeat("d", 60), "/a", "n", "g")
	if err == nil || !strings.Contains(err.Error(), "socket_dir") {
		t.Errorf("error %v, want one that names socket_dir", err)
	}
}

func TestListenOrJoin_LiveServer_Joins(t *testing.T) {
	a := testAddress(t)
	l, err := a.listenOrJoin()
	if err != nil || l == nil {
		t.Fatalf("first: %v, %v", l, err)
	}
	defer l.Close()
	if second, err := a.listenOrJoin(); err != nil || second != nil {
		t.Errorf("second: %v, %v; want to join", second, err)
	}
}

// A server that was killed leaves its socket; the next container must start.
func TestListenOrJoin_DeadSocket_IsReplaced(t *testing.T) {
	a := testAddress(t)
	leaveDead(t, a)
	if _, err := a.listen(); !errors.Is(err, syscall.EADDRINUSE) {
		t.Fatalf("listen on a dead socket: %v", err)
	}
	l, err := a.listenOrJoin()
	if err != nil || l == nil {
		t.Fatalf("got %v, %v; want a listener", l, err)
	}
	l.Close()
}

func TestListen_OnlyTheOwnerMayConnect(t *testing.T) {
	a := testAddress(t)
	l, err := a.listenOrJoin()
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	st, err := os.Stat(string(a))
	if err != nil {
		t.Fatal(err)
	}
	if st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, want 0600", st.Mode().Perm())
	}
}

// Two servers of one group would each have some of its containers, and only one
// could be found again.
func TestListenOrJoin_ManyAtOnce_OneBinds(t *testing.T) {
	for range 200 {
		a := testAddress(t)
		leaveDead(t, a)
		var bound atomic.Int32
		var wg sync.WaitGroup
		for range 3 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				l, err := a.listenOrJoin()
				if err != nil {
					t.Error(err)
				}
				if l != nil {
					bound.Add(1)
					t.Cleanup(func() { l.Close() })
				}
			}()
		}
		wg.Wait()
		if n := bound.Load(); n != 1 {
			t.Fatalf("%d have bound the socket", n)
		}
	}
}

// The next server of a group can be there before the last one is cleaned up.
func TestRemoveDead_TakenByAnother_Stays(t *testing.T) {
	a := testAddress(t)
	leaveDead(t, a)
	l, err := a.listenOrJoin()
	if err != nil || l == nil {
		t.Fatalf("got %v, %v; want a listener", l, err)
	}
	if err := a.removeDead(); err != nil {
		t.Error(err)
	}
	if err := a.dial(); err != nil {
		t.Errorf("the living socket: %v", err)
	}
	l.Close()
	for range 2 {
		if err := a.removeDead(); err != nil {
			t.Error(err)
		}
		if err := a.dial(); !errors.Is(err, syscall.ENOENT) {
			t.Errorf("the dead socket: %v, want ENOENT", err)
		}
	}
}
