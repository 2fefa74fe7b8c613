package lease

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/containerd/errdefs"
)

func pool(prefix, first, last string, reserved ...string) Pool {
	p := Pool{Prefix: netip.MustParsePrefix(prefix), First: netip.MustParseAddr(first), Last: netip.MustParseAddr(last)}
	for _, r := range reserved {
		p.Reserved = append(p.Reserved, netip.MustParseAddr(r))
	}
	return p
}

var (
	pool4 = pool("192.0.2.0/24", "192.0.2.1", "192.0.2.254", "192.0.2.1")
	pool6 = pool("2001:db8::/64", "2001:db8::1", "2001:db8::ffff", "2001:db8::1")
	small = pool("192.0.2.0/29", "192.0.2.1", "192.0.2.6", "192.0.2.1")
)

// storeVar tells a copy of the test binary where to lease, as which owner.
const storeVar = "LEASE_TEST_STORE"

func TestMain(m *testing.M) {
	arg := os.Getenv(storeVar)
	if arg == "" {
		os.Exit(m.Run())
	}
	dir, owner, _ := strings.Cut(arg, "=")
	s, err := Open(dir)
	if err == nil {
		var l Lease
		l, err = s.Acquire(context.Background(), Request{Network: "n", Owner: owner, Pools: []Pool{pool4, pool6}})
		fmt.Println(l.Addrs)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func open(t *testing.T) *Store {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "leases"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func acquire(t *testing.T, s *Store, owner string, pools []Pool, static ...string) (string, error) {
	t.Helper()
	r := Request{Network: "n", Owner: owner, Pools: pools}
	for _, a := range static {
		r.Static = append(r.Static, netip.MustParseAddr(a))
	}
	l, err := s.Acquire(t.Context(), r)
	var addrs []string
	for _, a := range l.Addrs {
		addrs = append(addrs, a.String())
	}
	return strings.Join(addrs, " "), err
}

func TestAcquire_NextAfterTheLast(t *testing.T) {
	s := open(t)
	both := []Pool{pool4, pool6}
	for _, c := range []struct{ owner, static, want string }{
		{"a", "", "192.0.2.2 2001:db8::2"},
		{"b", "", "192.0.2.3 2001:db8::3"},
		{"a", "", "192.0.2.2 2001:db8::2"},                            // the same again
		{"c", "192.0.2.5", "192.0.2.5 2001:db8::4"},                   // asked for
		{"d", "", "192.0.2.4 2001:db8::5"},                            // not that one
		{"e", "", "192.0.2.6 2001:db8::6"},                            // past it
		{"a", "192.0.2.77 2001:db8::1:1", "192.0.2.77 2001:db8::1:1"}, // replaced; outside of the range
		{"f", "", "192.0.2.7 2001:db8::7"},                            // a's former is not used at once
	} {
		got, err := acquire(t, s, c.owner, both, strings.Fields(c.static)...)
		if err != nil || got != c.want {
			t.Errorf("%s %s: got %s, %v; want %s", c.owner, c.static, got, err, c.want)
		}
	}
	if _, err := acquire(t, s, "g", both, "192.0.2.5"); !errors.Is(err, errdefs.ErrAlreadyExists) || !strings.Contains(err.Error(), `"c"`) {
		t.Errorf("another's address: %v", err)
	}
}

func TestAcquire_Refuses(t *testing.T) {
	s := open(t)
	for _, c := range []struct{ static, want string }{
		{"192.0.2.0", "address of the network"},
		{"192.0.2.255", "broadcast"},
		{"192.0.2.1", "the host's own"},
		{"198.51.100.1", "in no subnet"},
		{"192.0.2.8 192.0.2.9", "both in"},
	} {
		_, err := acquire(t, s, "a", []Pool{pool4, pool6}, strings.Fields(c.static)...)
		if !errors.Is(err, errdefs.ErrInvalidArgument) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.static, err, c.want)
		}
	}
	if _, err := acquire(t, s, "a", nil); !errors.Is(err, errdefs.ErrInvalidArgument) {
		t.Errorf("without a pool: %v", err)
	}
	if _, err := acquire(t, s, "a", []Pool{pool("192.0.2.0/24", "192.0.2.9", "192.0.2.8")}); !errors.Is(err, errdefs.ErrInvalidArgument) {
		t.Errorf("a range backwards: %v", err)
	}
	if list, err := s.List(t.Context(), ""); err != nil || len(list) != 0 {
		t.Errorf("left: %v, %v", list, err)
	}
}

func TestAcquire_Full_ThenFreeAgain(t *testing.T) {
	s := open(t)
	for i := range 5 {
		if _, err := acquire(t, s, fmt.Sprint(i), []Pool{small}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := acquire(t, s, "x", []Pool{small}); !errors.Is(err, errdefs.ErrResourceExhausted) {
		t.Fatalf("full: %v", err)
	}
	for range 2 {
		if err := s.Release(t.Context(), "n", "3"); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := acquire(t, s, "x", []Pool{small}); err != nil || got != "192.0.2.5" {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestSweepAndForget(t *testing.T) {
	s := open(t)
	for _, owner := range []string{"a", "b"} {
		if _, err := acquire(t, s, owner, []Pool{pool4}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Forget(t.Context(), "n"); !errors.Is(err, errdefs.ErrFailedPrecondition) {
		t.Errorf("in use: %v", err)
	}
	swept, err := s.Sweep(t.Context(), func(owner string) bool { return owner == "a" })
	if err != nil || len(swept) != 1 || swept[0].Owner != "b" || swept[0].Network != "n" || len(swept[0].Addrs) != 1 {
		t.Errorf("swept %v, %v", swept, err)
	}
	list, err := s.List(t.Context(), "n")
	if err != nil || len(list) != 1 || list[0].Owner != "a" {
		t.Errorf("list %v, %v", list, err)
	}
	if err := errors.Join(s.Release(t.Context(), "n", "a"), s.Forget(t.Context(), "n"), s.Forget(t.Context(), "n")); err != nil {
		t.Error(err)
	}
}

func TestRead_DamagedFile_NamesIt_EmptyIsNone(t *testing.T) {
	s := open(t)
	file := s.folder.Path("n.json")
	if err := os.WriteFile(file, []byte(`{"leases":`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := acquire(t, s, "a", []Pool{pool4}); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("damaged: %v", err)
	}
	if err := os.Truncate(file, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := acquire(t, s, "a", []Pool{pool4}); err != nil {
		t.Errorf("empty: %v", err)
	}
}

// Many processes lease at once and half of them are killed: whoever was told an
// address has it alone.
func TestAcquire_ManyProcesses_NoDoubleUse(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "leases")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	const count = 200
	told := make([]string, count)
	limit := make(chan struct{}, 32)
	var wg sync.WaitGroup
	for i := range count {
		wg.Add(1)
		limit <- struct{}{}
		// goroutine: of the test; ends with its process; waited for below
		go func() {
			defer func() { <-limit; wg.Done() }()
			cmd := exec.Command(self)
			cmd.Env = []string{fmt.Sprintf("%s=%s=o%d", storeVar, dir, i)}
			var out strings.Builder
			cmd.Stdout = &out
			if err := cmd.Start(); err != nil {
				t.Error(err)
				return
			}
			if i%2 == 1 {
				kill := time.AfterFunc(time.Duration(i)*time.Millisecond/4, func() { cmd.Process.Kill() })
				defer kill.Stop()
			}
			err := cmd.Wait()
			if err != nil && i%2 == 0 {
				t.Errorf("process %d: %v", i, err)
			}
			told[i] = strings.TrimSpace(out.String())
		}()
	}
	wg.Wait()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	list, err := s.List(t.Context(), "n")
	if err != nil {
		t.Fatal(err)
	}
	owners := map[netip.Addr]string{}
	for _, l := range list {
		for _, a := range l.Addrs {
			if other, ok := owners[a]; ok {
				t.Errorf("%s belongs to %s and %s", a, other, l.Owner)
			}
			owners[a] = l.Owner
		}
	}
	for i, addrs := range told {
		at := slices.IndexFunc(list, func(l Lease) bool { return l.Owner == fmt.Sprintf("o%d", i) })
		if i%2 == 0 && addrs == "" || addrs != "" && (at < 0 || fmt.Sprint(list[at].Addrs) != addrs) {
			t.Errorf("process %d was told %q, which the store does not say", i, addrs)
		}
	}
}

func BenchmarkAcquire_500(b *testing.B) {
	s, err := Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	big := pool("10.88.0.0/16", "10.88.0.1", "10.88.255.254")
	for i := range 500 {
		if _, err := s.Acquire(b.Context(), Request{Network: "n", Owner: fmt.Sprint(i), Pools: []Pool{big}}); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if _, err := s.Acquire(b.Context(), Request{Network: "n", Owner: "x", Pools: []Pool{big}}); err != nil {
			b.Fatal(err)
		}
		if err := s.Release(b.Context(), "n", "x"); err != nil {
			b.Fatal(err)
		}
	}
}

// What Acquire replaced comes back, unless somebody else has it by now.
func TestRestore(t *testing.T) {
	s := open(t)
	if _, err := acquire(t, s, "a", []Pool{pool4}); err != nil {
		t.Fatal(err)
	}
	former, err := s.List(t.Context(), "n")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := acquire(t, s, "a", []Pool{pool4}, "192.0.2.77"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Restore(t.Context(), former[0]); err != nil {
			t.Fatal(err)
		}
		if got, err := s.List(t.Context(), "n"); err != nil || !reflect.DeepEqual(got, former) {
			t.Errorf("got %v, %v, want %v", got, err, former)
		}
	}
	if _, err := acquire(t, s, "a", []Pool{pool4}, "192.0.2.77"); err != nil {
		t.Fatal(err)
	}
	if _, err := acquire(t, s, "b", []Pool{pool4}, "192.0.2.2"); err != nil {
		t.Fatal(err)
	}
	if err := s.Restore(t.Context(), former[0]); !errors.Is(err, errdefs.ErrAlreadyExists) || !strings.Contains(err.Error(), `"b"`) {
		t.Errorf("another has the address: %v", err)
	}
	if got, err := acquire(t, s, "a", []Pool{pool4}); err != nil || got != "192.0.2.77" {
		t.Errorf("then: %s, %v", got, err)
	}
}
