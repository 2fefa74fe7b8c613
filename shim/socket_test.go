package shim

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
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
	l, err := a.listen()
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if _, err := os.Stat(string(a)); err != nil {
		t.Fatalf("the dead socket should still be there: %v", err)
	}
	if _, err := a.listen(); !errors.Is(err, syscall.EADDRINUSE) {
		t.Fatalf("listen on a dead socket: %v", err)
	}
	l, err = a.listenOrJoin()
	if err != nil || l == nil {
		t.Fatalf("got %v, %v; want a listener", l, err)
	}
	l.Close()
}

func TestListen_OnlyTheOwnerMayConnect(t *testing.T) {
	a := testAddress(t)
	l, err := a.listen()
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
