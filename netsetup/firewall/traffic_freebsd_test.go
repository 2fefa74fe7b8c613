package firewall

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/containerd/errdefs"

	"jailshim/internal/need"
	"jailshim/jailctl/kernel"
	"jailshim/netsetup/firewall/pf/pftest"
	"jailshim/netsetup/port"
)

// pfConf is a main ruleset with room for rules before ours. With net.pf.filter_local,
// what the host is sent passes lo0 as well, in the middle of a connection: the rule for
// lo0 needs "flags any".
const pfConf = `set skip on { vtnet0 em0 }
nat-anchor "jailshim/*"
rdr-anchor "jailshim/*"
%s
anchor "jailshim/*"
`

// enableIPFW loads ipfw until the end of the test. It must not deny by default: that
// would cut the machine off.
func enableIPFW(t *testing.T) {
	t.Helper()
	need.Root(t)
	if out, err := exec.Command("kenv", "-q", "net.inet.ip.fw.default_to_accept").Output(); err != nil || strings.TrimSpace(string(out)) != "1" {
		need.Missing(t, "this test needs an ipfw that accepts by default: write net.inet.ip.fw.default_to_accept=1 into /boot/loader.conf and restart the machine")
	}
	exec.Command("pfctl", "-q", "-d").Run()
	for _, m := range []string{"ipfw", "ipfw_nat"} {
		if kernel.HasModule(m) {
			continue
		}
		if err := kernel.LoadModule(m); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { exec.Command("kldunload", m).Run() })
	}
	setSysctl(t, "net.inet.ip.source_address_validation", "0")
}

// A container reaches others and is reached at its published ports, from everywhere.
func TestPF_Traffic(t *testing.T) {
	w := newWorld(t)
	pftest.Enable(t, fmt.Sprintf(pfConf, "block all\npass on lo0 flags any\npass proto icmp6\npass out from (self)\n"))
	testTraffic(t, PF, w)
}

func TestIPFW_Traffic(t *testing.T) {
	w := newWorld(t)
	enableIPFW(t)
	testTraffic(t, IPFW, w)
}

// check compares what a jail gets from targets with who should answer; "" is nobody.
func (w *world) check(t *testing.T, from string, want map[string]string) {
	t.Helper()
	var targets []string
	for target := range want {
		targets = append(targets, target)
	}
	got := dials(t, w.jids[from], targets...)
	for target, who := range want {
		answerer, _, _ := strings.Cut(got[target], " ")
		if who == "" && (got[target] == "no connection" || got[target] == "no answer") || who != "" && answerer == who {
			continue
		}
		t.Errorf("from %q, %s: %q, want %q", from, target, got[target], who)
	}
}

func testTraffic(t *testing.T, name string, w *world) {
	t.Helper()
	ctx := t.Context()
	d, err := Select(ctx, name, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.RemoveNetwork(context.Background(), w.network); err != nil {
			t.Error(err)
		}
		left, err := d.List(context.Background())
		if err != nil || len(left) > 0 {
			t.Errorf("left: %v, %v", left, err)
		}
	})
	if _, err := d.AddNetwork(ctx, w.network); err != nil {
		t.Fatal(err)
	}
	startServer(t, w.jids["one"], "one", "80", "81", "82")
	startServer(t, w.jids["two"], "two", "80")
	startServer(t, w.jids["out"], "out", "80")
	six := func(who string) string { // ipfw has no NAT for IPv6
		if name == IPFW {
			return ""
		}
		return who
	}
	w.check(t, "one", map[string]string{
		"tcp=" + w.out4 + ":80": "out", "udp=" + w.out4 + ":80": "out", "tcp=[" + w.out6 + "]:80": six("out"), "udp=[" + w.out6 + "]:80": six("out"),
		"tcp=10.87.9.12:80": "two", "tcp=[fd00:87:9::12]:80": "two",
	})
	w.check(t, "out", map[string]string{"tcp=" + w.host4 + ":8080": ""})

	a := w.one
	if a.Ports, err = port.Parse("8080:80,8080:80/udp,9001-9002:81-82,198.51.100.1:8090:80"); err != nil {
		t.Fatal(err)
	}
	if err := d.Publish(ctx, a); err != nil {
		t.Fatal(err)
	}
	published := map[string]string{
		"tcp=" + w.host4 + ":8080": "one", "udp=" + w.host4 + ":8080": "one", "tcp=" + w.host4 + ":9001": "one", "tcp=" + w.host4 + ":9002": "one",
		"tcp=" + w.host4 + ":8090": "one", "tcp=[" + w.host6 + "]:8080": six("one"), "udp=[" + w.host6 + "]:8080": six("one"), "tcp=[" + w.host6 + "]:8090": "",
	}
	for _, from := range []string{"out", "", "two", "one"} {
		w.check(t, from, published)
	}
	w.check(t, "two", map[string]string{"tcp=10.87.9.11:80": "one", "tcp=" + w.out4 + ":80": "out"})
	w.check(t, "", map[string]string{"tcp=10.87.9.11:80": "one", "udp=10.87.9.11:80": "one", "tcp=[fd00:87:9::11]:80": "one"})
	if name == PF {
		w.check(t, "", map[string]string{"tcp=127.0.0.1:8080": "one", "udp=127.0.0.1:8080": "one"})
	}
	list, err := d.List(ctx)
	want := []Entry{{ID: ID(w.network.Name, "")}, {ID: ID(w.network.Name, "one")}}
	for _, e := range want {
		if err != nil || !slices.Contains(list, e) || len(list) != len(want) {
			t.Errorf("list: %v, %v, want %v", list, err, want)
		}
	}
	// Both again change nothing.
	if warnings, err := d.AddNetwork(ctx, w.network); err != nil || len(warnings) > 0 {
		t.Errorf("the network again: %v, %v", warnings, err)
	}
	if err := d.Publish(ctx, a); err != nil {
		t.Error(err)
	}
	w.check(t, "out", map[string]string{"tcp=" + w.host4 + ":8080": "one"})
	if name == IPFW {
		// As a restart of the host's own rules does.
		command(t, "ipfw", "-q", "-f", "flush")
		w.check(t, "out", map[string]string{"tcp=" + w.host4 + ":8080": ""})
		if _, err := d.AddNetwork(ctx, w.network); err != nil {
			t.Fatal(err)
		}
		w.check(t, "out", map[string]string{"tcp=" + w.host4 + ":8080": "one"})
		w.check(t, "one", map[string]string{"tcp=" + w.out4 + ":80": "out"})
	}
	for range 2 {
		if err := d.Unpublish(ctx, a); err != nil {
			t.Error(err)
		}
	}
	w.check(t, "out", map[string]string{"tcp=" + w.host4 + ":8080": "", "udp=" + w.host4 + ":8080": ""})
	w.check(t, "", map[string]string{"tcp=" + w.host4 + ":8080": ""})
	w.check(t, "one", map[string]string{"tcp=" + w.out4 + ":80": "out"})
}

// Without the hooks in the main ruleset nothing would be evaluated, and nobody told.
func TestPF_NoHooks_SaysTheLines(t *testing.T) {
	need.Root(t)
	pftest.Enable(t, "set skip on lo0\npass all\n")
	d, err := Select(t.Context(), PF, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.AddNetwork(t.Context(), testNetwork())
	if !errors.Is(err, errdefs.ErrFailedPrecondition) || !strings.Contains(fmt.Sprint(err), `rdr-anchor "jailshim/*"`) {
		t.Errorf("got %v", err)
	}
	command(t, "pfctl", "-q", "-d")
	if _, err = d.AddNetwork(t.Context(), testNetwork()); !errors.Is(err, errdefs.ErrFailedPrecondition) || !strings.Contains(fmt.Sprint(err), "not enabled") {
		t.Errorf("disabled: %v", err)
	}
}
