package netsetup

import (
	"errors"
	"net/netip"
	"slices"
	"testing"

	"github.com/containerd/errdefs"

	"jailshim/netsetup/link"
)

func addrs(text ...string) []netip.Addr {
	var list []netip.Addr
	for _, s := range text {
		list = append(list, netip.MustParseAddr(s))
	}
	return list
}

func TestAlias_SharedAndTheirs(t *testing.T) {
	w := newWorld(t, "")
	em0 := w.machine.interfaces["em0"]
	ctx := t.Context()
	// 192.0.2.7 is the host's own.
	for _, owner := range []string{"a", "b", "a"} {
		if err := w.Alias(ctx, owner, "em0", addrs("192.0.2.7", "192.0.2.8", "fd00::8")); err != nil {
			t.Fatal(err)
		}
	}
	if len(em0.Addrs) != 3 || em0.Addrs[1].String() != "192.0.2.8/32" || em0.Addrs[2].String() != "fd00::8/128" {
		t.Errorf("addresses %v", em0.Addrs)
	}
	if err := w.Unalias(ctx, "a"); err != nil || len(em0.Addrs) != 3 {
		t.Errorf("%v, addresses %v, of which b needs all", err, em0.Addrs)
	}
	for range 2 {
		if err := w.Unalias(ctx, "b"); err != nil || len(em0.Addrs) != 1 || !em0.Has(addrs("192.0.2.7")[0]) {
			t.Errorf("%v, addresses %v", err, em0.Addrs)
		}
	}
}

func TestAlias_Refusals(t *testing.T) {
	w := newWorld(t, "")
	w.machine.interfaces["lo0"].Addrs = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/8")}
	if err := w.Alias(t.Context(), "a", "em9", addrs("192.0.2.8")); !errdefs.IsNotFound(err) {
		t.Errorf("no interface: %v", err)
	}
	if err := w.Alias(t.Context(), "a", "em0", addrs("192.0.2.8", "127.0.0.1")); !errdefs.IsFailedPrecondition(err) {
		t.Errorf("another's address: %v", err)
	}
	if keys, err := w.aliases.Names(); err != nil || len(keys) != 0 || len(w.machine.interfaces["em0"].Addrs) != 1 {
		t.Errorf("left: %v, %v, %v", keys, err, w.machine.interfaces["em0"].Addrs)
	}
}

// A call that fails takes nothing of what the container has by a former one.
func TestAlias_Fails_KeepsTheFormer(t *testing.T) {
	w := newWorld(t, "")
	w.machine.interfaces["lo0"].Addrs = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/8")}
	if err := w.Alias(t.Context(), "a", "em0", addrs("192.0.2.8")); err != nil {
		t.Fatal(err)
	}
	if err := w.Alias(t.Context(), "a", "em0", addrs("192.0.2.8", "192.0.2.9", "127.0.0.1")); !errdefs.IsFailedPrecondition(err) {
		t.Errorf("another's address: %v", err)
	}
	keys, err := w.aliases.Names()
	em0 := w.machine.interfaces["em0"]
	if err != nil || !slices.Equal(keys, []string{"em0_192.0.2.8"}) || len(em0.Addrs) != 2 || !em0.Has(addrs("192.0.2.8")[0]) {
		t.Errorf("left: %v, %v, %v", keys, err, em0.Addrs)
	}
}

// Killed before and after the address is set.
func TestAlias_KilledThenGC(t *testing.T) {
	for _, after := range []bool{false, true} {
		w := newWorld(t, "")
		w.machine.refuse = func(int, link.Call) error {
			if !after {
				panic(killed{})
			}
			return nil
		}
		w.machine.kill = func(int) { panic(killed{}) }
		if !survive(func() { _ = w.Alias(t.Context(), "a", "em0", addrs("192.0.2.8")) }) {
			t.Fatal("was not killed")
		}
		w.machine.refuse, w.machine.kill = nil, nil
		if left, err := w.GC(t.Context(), func(string) bool { return false }); err != nil || len(left) != 1 {
			t.Errorf("GC: %v, %v", left, err)
		}
		if got := w.machine.interfaces["em0"].Addrs; len(got) != 1 {
			t.Errorf("addresses %v", got)
		}
	}
}

func TestMove_ThereAndBack(t *testing.T) {
	w := newWorld(t, "")
	w.machine.add("em1", "", link.TypeEthernet)
	before := w.machine.names()
	lent, err := w.Lend([]string{"em0", "em1"})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second one is a repetition
		if err := w.MoveIn(t.Context(), 1, lent); err != nil {
			t.Fatal(err)
		}
		if got, want := w.machine.names(), []string{"1/em0", "1/em1", "lo0"}; !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	for range 2 {
		if away, err := w.MoveBack(t.Context(), 1, lent); err != nil || len(away) != 0 {
			t.Errorf("away %v, %v", away, err)
		}
	}
	if got := w.machine.names(); !slices.Equal(got, before) {
		t.Errorf("got %v, want %v", got, before)
	}
}

// What was renamed in the jail is back, with its name, once the jail is gone.
func TestMove_RenamedInside(t *testing.T) {
	w := newWorld(t, "")
	before := w.machine.names()
	lent, err := w.Lend([]string{"em0"})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.MoveIn(t.Context(), 1, lent); err != nil {
		t.Fatal(err)
	}
	i := w.machine.interfaces["1/em0"]
	delete(w.machine.interfaces, "1/em0")
	i.Name = "lan"
	w.machine.interfaces["1/lan"] = i
	if away, err := w.MoveBack(t.Context(), 1, lent); err != nil || len(away) != 1 {
		t.Errorf("away %v, %v, want em0", away, err)
	}
	w.machine.removeJail(1)
	if away, err := w.MoveBack(t.Context(), 0, lent); err != nil || len(away) != 0 {
		t.Errorf("away %v, %v", away, err)
	}
	if got := w.machine.names(); !slices.Equal(got, before) {
		t.Errorf("got %v, want %v", got, before)
	}
}

func TestMove_Refusals(t *testing.T) {
	w := newWorld(t, "")
	if _, err := w.Lend([]string{"em9"}); !errdefs.IsNotFound(err) {
		t.Errorf("no interface: %v", err)
	}
	w.machine.add("bridge0", "", link.TypeBridge)
	if _, err := w.Lend([]string{"bridge0"}); !errdefs.IsFailedPrecondition(err) {
		t.Errorf("a bridge: %v", err)
	}
	w.machine.add("em1", "", link.TypeEthernet)
	lent, err := w.Lend([]string{"em0", "em1"})
	if err != nil {
		t.Fatal(err)
	}
	w.machine.refuse = func(_ int, c link.Call) error {
		if c.What == "move em1 into jail 1" {
			return errInjected
		}
		return nil
	}
	before := w.machine.names()
	if err := w.MoveIn(t.Context(), 1, lent); !errors.Is(err, errInjected) {
		t.Errorf("got %v", err)
	}
	if got := w.machine.names(); !slices.Equal(got, before) {
		t.Errorf("got %v, want %v", got, before)
	}
	w.machine.refuse = nil
	if err := w.MoveIn(t.Context(), 99, lent); err == nil {
		t.Error("into no jail: no error")
	}
}
