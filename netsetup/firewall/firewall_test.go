package firewall

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

// testNetwork is the network of these tests.
func testNetwork() Network {
	return Network{
		Name: "jt-firewall", Bridge: "jt-fw0",
		IPv4: netip.MustParsePrefix("10.87.9.0/24"), Gateway4: netip.MustParseAddr("10.87.9.1"),
		IPv6: netip.MustParsePrefix("fd00:87:9::/64"), Gateway6: netip.MustParseAddr("fd00:87:9::1"),
	}
}

func testAttachment(owner string, host int) Attachment {
	return Attachment{
		Owner: owner, Network: testNetwork(),
		IPv4: netip.MustParseAddr(fmt.Sprintf("10.87.9.%d", host)), IPv6: netip.MustParseAddr(fmt.Sprintf("fd00:87:9::%d", host)),
	}
}

// Two owners, or two networks, must never share rules.
func TestID(t *testing.T) {
	seen := map[string]string{}
	for _, c := range [][2]string{{"a", ""}, {"a", "b"}, {"ab", ""}, {"", "ab"}, {"b", "a"}, {"a\x00b", ""}} {
		id := ID(c[0], c[1])
		if other, ok := seen[id]; ok {
			t.Errorf("%q and %q both have %s", c, other, id)
		}
		seen[id] = fmt.Sprint(c)
		kind := "jail-"
		if c[1] == "" {
			kind = "net-"
		}
		if !strings.HasPrefix(id, kind) || len(id) > 30 {
			t.Errorf("%q: %s", c, id)
		}
	}
	if got, want := ID("default", "web"), ID("default", "web"); got != want {
		t.Errorf("got %s, then %s", got, want)
	}
}
