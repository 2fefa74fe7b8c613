package netsetup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"jailshim/netsetup/firewall"
	"jailshim/netsetup/link"
)

var errInjected = errors.New("injected")

// life makes and removes a container's network, and returns the attachment as far as
// its caller has stored it.
func (w *world) life(ctx context.Context) (stored *Attachment, err error) {
	a, err := w.Reserve(ctx, request("web"))
	if err != nil {
		return nil, err
	}
	if _, err := w.Attach(ctx, a, 1); err != nil {
		return a, err
	}
	return a, w.Detach(ctx, a)
}

// clean is what a caller does about a life that did not end well.
func (w *world) clean(t *testing.T, what string, a *Attachment) {
	t.Helper()
	if a != nil {
		if err := w.Detach(t.Context(), a); err != nil {
			t.Errorf("%s: Detach: %v", what, err)
		}
	}
	if _, err := w.GC(t.Context(), func(string) bool { return false }); err != nil {
		t.Errorf("%s: GC: %v", what, err)
	}
}

// wantCleanOrBare: the network may have been made or not.
func (w *world) wantCleanOrBare(t *testing.T, what string) {
	t.Helper()
	want := bare
	if !slices.Contains(w.machine.names(), "js-default") {
		want = []string{"em0", "lo0"}
	}
	w.wantClean(t, what, want)
}

func TestPoints_AreAllPassed(t *testing.T) {
	w := newWorld(t, "")
	if _, err := w.life(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := slices.Sorted(slices.Values(w.points))
	want := slices.Sorted(slices.Values(Points))
	if !slices.Equal(got, want) {
		t.Errorf("passed:\n%q\nPoints:\n%q", got, want)
	}
}

// An error at each point leaves nothing but what the caller knows of, and that goes
// with Detach. Without it, GC finds all.
func TestFault_ErrorAtEachPoint(t *testing.T) {
	for _, point := range Points {
		for _, detach := range []bool{true, false} {
			what := fmt.Sprintf("%s, detach %v", point, detach)
			w := newWorld(t, "")
			w.at = func(p string) error {
				if p == point {
					return errInjected
				}
				return nil
			}
			a, err := w.life(t.Context())
			if !errors.Is(err, errInjected) {
				t.Fatalf("%s: %v", what, err)
			}
			w.at = nil
			if a == nil {
				w.wantCleanOrBare(t, what+", before any clean-up")
			}
			if !detach {
				a = nil
			}
			w.clean(t, what, a)
			w.wantCleanOrBare(t, what)
		}
	}
}

// So does SIGKILL, of which no undoing comes.
func TestFault_KilledAtEachPoint(t *testing.T) {
	for _, point := range Points {
		for _, detach := range []bool{true, false} {
			what := fmt.Sprintf("%s, detach %v", point, detach)
			w := newWorld(t, "")
			w.at = func(p string) error {
				if p == point {
					panic(killed{})
				}
				return nil
			}
			w.killedLife(t, what, detach)
		}
	}
}

// killedLife is a life in which the process is killed, and what comes after it.
func (w *world) killedLife(t *testing.T, what string, detach bool) {
	t.Helper()
	var a *Attachment
	dead := survive(func() {
		got, err := w.Reserve(t.Context(), request("web"))
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		a = got // stored
		if _, err := w.Attach(t.Context(), a, 1); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if err := w.Detach(t.Context(), a); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	})
	if !dead {
		t.Fatalf("%s: was not killed", what)
	}
	w.at, w.machine.kill = nil, nil
	w.machine.removeJail(1)
	if !detach {
		a = nil
	}
	w.clean(t, what, a)
	w.wantCleanOrBare(t, what)
	// And the next one finds a network that works.
	w.machine.jails[1] = true
	if _, err := w.life(t.Context()); err != nil {
		t.Errorf("%s: the next life: %v", what, err)
	}
	w.wantClean(t, what+", after the next life", bare)
}

// A kernel that refuses one call, each in turn, and one after which the process dies.
func TestFault_EachCall(t *testing.T) {
	w := newWorld(t, "")
	if _, err := w.life(t.Context()); err != nil {
		t.Fatal(err)
	}
	total := w.machine.calls
	for n := 1; n <= total; n++ {
		what := fmt.Sprintf("call %d of %d refused", n, total)
		w := newWorld(t, "")
		w.machine.refuse = func(i int, c link.Call) error {
			if i != n {
				return nil
			}
			what += ": " + c.What
			return &link.Error{What: c.What, Errno: 5}
		}
		a, err := w.life(t.Context())
		if err == nil {
			t.Errorf("%s: no error", what)
		}
		w.clean(t, what, a)
		w.wantCleanOrBare(t, what)

		w = newWorld(t, "")
		w.machine.kill = func(i int) {
			if i == n {
				panic(killed{})
			}
		}
		w.killedLife(t, fmt.Sprintf("killed after call %d", n), n%2 == 0)
	}
}

// As long as rules may be left, nobody gets the address.
func TestFault_AddressStaysWithRules(t *testing.T) {
	w := newWorld(t, "")
	a := w.attached(t)
	w.wall.fail["Unpublish"] = errInjected
	if err := w.Detach(t.Context(), a); !errors.Is(err, errInjected) {
		t.Fatalf("got %v", err)
	}
	if leases, err := w.leases.List(t.Context(), ""); err != nil || len(leases) != 1 {
		t.Errorf("leases %v, %v", leases, err)
	}
	if got := w.machine.names(); !slices.Equal(got, bare) {
		t.Errorf("interfaces %v, want them gone whatever the firewall says", got)
	}
	delete(w.wall.fail, "Unpublish")
	if err := w.Detach(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	w.wantClean(t, "then", bare)
}

func TestFault_FirewallRefuses(t *testing.T) {
	for _, method := range []string{"AddNetwork", "Publish"} {
		w := newWorld(t, "")
		w.wall.fail[method] = errInjected
		a, err := w.life(t.Context())
		if !errors.Is(err, errInjected) {
			t.Errorf("%s: %v", method, err)
		}
		delete(w.wall.fail, method)
		if method == "AddNetwork" && (len(w.wall.entries) != 0 || slices.Contains(w.machine.names(), "js-default")) {
			t.Errorf("%s: left %v, %v", method, w.wall.entries, w.machine.names())
		}
		w.clean(t, method, a)
		w.wantCleanOrBare(t, method)
	}
}

func TestGC_SparesTheLiving(t *testing.T) {
	w := newWorld(t, "")
	var all []*Attachment
	for i, owner := range []string{"living", "dead"} {
		a, err := w.Reserve(t.Context(), Request{Owner: owner, Network: "default", Names: []string{owner}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Attach(t.Context(), a, i+1); err != nil {
			t.Fatal(err)
		}
		all = append(all, a)
	}
	// An interface of ours without a lease, one without a name, rules of nobody.
	stray := w.machine.add("jn0123456789ab", "epair20001", link.TypeEthernet)
	w.machine.add("epair20002a", "epair20002", link.TypeEthernet)
	w.machine.add("epair7a", "epair7", link.TypeEthernet) // an administrator's
	w.wall.entries[firewall.ID("default", "forgotten")] = true
	left, err := w.GC(t.Context(), func(owner string) bool { return owner == "living" })
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, l := range left {
		said = append(said, l.String())
	}
	want := []string{
		"attachment of dead in network default", "interface " + stray.Name, "interface epair20002a",
		"rules " + firewall.ID("default", "forgotten"),
	}
	if !slices.Equal(said, want) {
		t.Errorf("removed:\ngot  %q\nwant %q", said, want)
	}
	got := strings.Join(w.machine.names(), " ")
	if !strings.Contains(got, all[0].HostEnd) || strings.Contains(got, all[1].HostEnd) || !strings.Contains(got, "epair7a") {
		t.Errorf("interfaces: %s", got)
	}
	if left, err := w.GC(t.Context(), func(owner string) bool { return owner == "living" }); err != nil || len(left) != 0 {
		t.Errorf("a second GC: %v, %v", left, err)
	}
}

// An owner that gives its network back between the looks that GC takes, and one that has
// it again by the second look, have left nothing.
func TestGC_OwnerGoesMeanwhile_NothingIsLeftOver(t *testing.T) {
	for name, back := range map[string]bool{"gone": false, "back": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "")
			a := w.attached(t)
			var looks int
			listing := func(done bool) {
				if done {
					looks++
				}
				switch {
				case looks == 1 && done:
					if err := w.Detach(t.Context(), a); err != nil {
						t.Error(err)
					}
				case looks == 1 && back:
					a = w.attached(t)
				}
			}
			var hook func(bool)
			hook = func(done bool) {
				w.machine.listing = nil // what it does lists too
				listing(done)
				w.machine.listing = hook
			}
			w.machine.listing = hook
			left, err := w.GC(t.Context(), func(string) bool { return true })
			w.machine.listing = nil
			if err != nil || len(left) != 0 {
				t.Errorf("removed %v, %v", left, err)
			}
			if looks != 2 {
				t.Errorf("%d looks, want 2", looks)
			}
			if there := slices.Contains(w.machine.names(), a.HostEnd); there != back {
				t.Errorf("the interface is there: %v, want %v", there, back)
			}
		})
	}
}
