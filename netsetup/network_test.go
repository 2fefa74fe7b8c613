package netsetup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"jailshim/netsetup/firewall"
	"jailshim/netsetup/link"
)

// repairs are the steps of a repair that can fail, and how to have the fake do so.
var repairs = map[string]func(w *world){
	"firewall": func(w *world) { w.wall.fail["AddNetwork"] = errInjected },
	"sysctl":   func(w *world) { delete(w.machine.sysctls, "net.inet.ip.forwarding") },
	"module":   func(w *world) { w.machine.missing = "if_bridge" },
	"kernel": func(w *world) {
		w.machine.refuse = func(_ int, c link.Call) error {
			if c.What == "bring up js-default" {
				return errInjected
			}
			return nil
		}
	},
	"killed": func(w *world) {
		w.at = func(point string) error {
			if point == pointNetworkRecorded {
				panic(killed{})
			}
			return nil
		}
	},
}

// A repair that fails leaves the bridge to the containers that are on it, and the
// network to the next one that asks.
func TestNetwork_RepairFails_BridgeStays(t *testing.T) {
	for name, fail := range repairs {
		for _, lost := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, record lost %v", name, lost), func(t *testing.T) {
				w := newWorld(t, "")
				a := w.attached(t)
				w.machine.interfaces["js-default"].Flags = 0 // ifconfig js-default down
				if lost {
					if err := os.Remove(filepath.Join(w.dir, "run", "networks", "default.json")); err != nil {
						t.Fatal(err)
					}
				}
				fail(w)
				survive(func() {
					if _, err := w.Reserve(t.Context(), Request{Owner: "db", Network: "default"}); err == nil {
						t.Error("no error")
					}
				})
				w.wantRepairable(t, a, lost)
			})
		}
	}
}

// wantRepairable checks that a container is still on its bridge, and that the network
// works again when nothing fails any more.
func (w *world) wantRepairable(t *testing.T, a *Attachment, lost bool) {
	t.Helper()
	clear(w.wall.fail)
	w.at, w.machine.refuse, w.machine.missing = nil, nil, ""
	w.machine.sysctls["net.inet.ip.forwarding"] = 1
	if rec, err := w.readRecord("default"); !lost && (err != nil || rec == nil || !rec.Ready) {
		t.Errorf("record %+v, %v", rec, err)
	}
	if _, err := w.GC(t.Context(), func(owner string) bool { return owner == a.Owner }); err != nil {
		t.Fatal(err)
	}
	if bridge := w.machine.interfaces["js-default"]; bridge == nil || !bridge.members[a.HostEnd] {
		t.Fatalf("bridge %+v, interfaces %v", bridge, w.machine.names())
	}
	b, err := w.Reserve(t.Context(), Request{Owner: "db", Network: "default"})
	if err != nil {
		t.Fatal(err)
	}
	bridge := w.machine.interfaces["js-default"]
	if bridge.Flags&link.FlagUp == 0 || !bridge.members[a.HostEnd] || len(w.wall.entries) != 2 {
		t.Errorf("repaired: %+v, rules %v", bridge, w.wall.entries)
	}
	w.detachAndRemove(t, a, b)
}

// Of somebody else's bridge, a repair does not forget which addresses are ours.
func TestNetwork_RepairOfAnAdoptedBridge(t *testing.T) {
	w := newWorld(t, "[networks.lan]\nsubnets = [\"10.99.0.0/24\"]\nbridge = \"bridge0\"\nnat = \"pf\"\n")
	theirs := w.machine.add("bridge0", "", link.TypeBridge)
	for _, owner := range []string{"web", "db"} {
		theirs.Flags = 0
		a, err := w.Reserve(t.Context(), Request{Owner: owner, Network: "lan"})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Detach(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Remove(t.Context(), "lan"); err != nil {
		t.Fatal(err)
	}
	if w.machine.interfaces["bridge0"] == nil || len(theirs.Addrs) > 0 {
		t.Errorf("their bridge afterwards: %+v", theirs)
	}
}

// A repair that finds another firewall leaves no rules in the former one, or, if it
// fails, none in the other.
func TestNetwork_RepairWithAnotherFirewall(t *testing.T) {
	for _, fails := range []bool{false, true} {
		w := newWorld(t, "")
		if _, err := w.Reserve(t.Context(), request("web")); err != nil {
			t.Fatal(err)
		}
		former := newWall()
		former.entries[firewall.ID("default", "")] = true
		w.firewall = func(_ context.Context, name, _ string) (firewall.Driver, error) {
			if name == firewall.IPFW {
				return former, nil
			}
			return w.wall, nil
		}
		rec, err := w.readRecord("default")
		if err != nil {
			t.Fatal(err)
		}
		rec.Firewall = firewall.IPFW
		if err := w.networks.Write("default", rec); err != nil {
			t.Fatal(err)
		}
		clear(w.wall.entries)
		w.machine.interfaces["js-default"].Flags = 0
		want := firewall.PF
		if fails {
			want, w.wall.fail["AddNetwork"] = firewall.IPFW, errInjected
		}
		if _, err := w.Reserve(t.Context(), Request{Owner: "db", Network: "default"}); fails != errors.Is(err, errInjected) {
			t.Errorf("fails %v: %v", fails, err)
		}
		if rec, err = w.readRecord("default"); err != nil || rec.Firewall != want || len(former.entries) > 0 || len(w.wall.entries) > 0 == fails {
			t.Errorf("fails %v: record %+v, %v; rules %v, before %v", fails, rec, err, w.wall.entries, former.entries)
		}
	}
}
