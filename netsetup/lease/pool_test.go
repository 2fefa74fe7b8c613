package lease

import (
	"net/netip"
	"testing"
)

func TestBroadcast(t *testing.T) {
	for prefix, want := range map[string]string{
		"10.88.0.0/16": "10.88.255.255", "192.0.2.0/29": "192.0.2.7", "192.0.2.128/25": "192.0.2.255", "10.0.0.0/9": "10.127.255.255",
	} {
		if got := broadcast(netip.MustParsePrefix(prefix)).String(); got != want {
			t.Errorf("%s: got %s, want %s", prefix, got, want)
		}
	}
}

func TestNext_WrapsAndSkips(t *testing.T) {
	taken := map[netip.Addr]string{netip.MustParseAddr("192.0.2.2"): "x"}
	for last, want := range map[string]string{"192.0.2.6": "192.0.2.3", "192.0.2.3": "192.0.2.4", "192.0.2.200": "192.0.2.3", "": "192.0.2.3"} {
		a, _ := netip.ParseAddr(last)
		if got, ok := small.next(a, taken); !ok || got.String() != want {
			t.Errorf("after %q: got %s, want %s", last, got, want)
		}
	}
}
