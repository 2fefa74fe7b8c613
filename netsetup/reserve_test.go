package netsetup

import (
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/containerd/errdefs"

	"jailshim/netsetup/lease"
	"jailshim/netsetup/names"
	"jailshim/netsetup/port"
)

// holdings is all that is taken of the networks.
type holdings struct {
	Leases  []lease.Lease
	Claims  []port.Claim
	Entries []names.Entry
}

func (w *world) holdings(t *testing.T) (h holdings) {
	t.Helper()
	var err [3]error
	h.Leases, err[0] = w.leases.List(t.Context(), "")
	h.Claims, err[1] = w.ports.List(t.Context())
	h.Entries, err[2] = w.names.List(t.Context(), "default")
	if err := errors.Join(err[:]...); err != nil {
		t.Fatal(err)
	}
	return h
}

// A repeated call that fails leaves the container what it had.
func TestReserve_RepeatedFails_RestoresTheFormer(t *testing.T) {
	for _, point := range []string{pointPorts, pointLease, pointNames} {
		w := newWorld(t, "")
		first, err := w.Reserve(t.Context(), request("web"))
		if err != nil {
			t.Fatal(err)
		}
		before := w.holdings(t)
		other := Request{
			Owner: "web", Network: "default", Names: []string{"www"}, IPv4: netip.MustParseAddr("10.88.0.77"),
			Ports: []port.Mapping{{HostPort: 18081, ContainerPort: 80, Count: 1, Protocol: port.TCP}},
		}
		w.at = func(p string) error {
			if p == point {
				return errInjected
			}
			return nil
		}
		if _, err := w.Reserve(t.Context(), other); !errors.Is(err, errInjected) {
			t.Fatalf("%s: %v", point, err)
		}
		w.at = nil
		if after := w.holdings(t); !reflect.DeepEqual(before, after) {
			t.Errorf("%s:\nbefore %+v\nafter  %+v", point, before, after)
		}
		if _, err := w.Reserve(t.Context(), Request{Owner: "db", Network: "default", IPv4: first.Addrs[0].Addr()}); !errdefs.IsAlreadyExists(err) {
			t.Errorf("%s: another asks for the address: %v", point, err)
		}
		if again, err := w.Reserve(t.Context(), request("web")); err != nil || !reflect.DeepEqual(again, first) {
			t.Errorf("%s: the first request again: %+v, %v, want %+v", point, again, err, first)
		}
	}
}

// The key of a container that is attached is nobody else's, whatever is asked for.
func TestReserve_Attached_IsRefused(t *testing.T) {
	w := newWorld(t, "")
	a := w.attached(t)
	before, interfaces := w.holdings(t), w.machine.names()
	for _, r := range []Request{request("web"), {Owner: "web", Network: "default", IPv4: netip.MustParseAddr("10.88.0.77")}} {
		if _, err := w.Reserve(t.Context(), r); !errdefs.IsAlreadyExists(err) || !strings.Contains(err.Error(), a.HostEnd) {
			t.Errorf("got %v", err)
		}
	}
	if after := w.holdings(t); !reflect.DeepEqual(before, after) || !reflect.DeepEqual(interfaces, w.machine.names()) {
		t.Errorf("before %+v, %v\nafter  %+v, %v", before, interfaces, after, w.machine.names())
	}
	if err := w.Detach(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Reserve(t.Context(), request("web")); err != nil {
		t.Errorf("after Detach: %v", err)
	}
}
