package netsetup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/containerd/errdefs"

	"jailshim/netsetup/link"
	"jailshim/netsetup/port"
)

var published = []port.Mapping{{HostPort: 18080, ContainerPort: 80, Count: 1, Protocol: port.TCP}}

// bare is what a machine has with the default network and no container.
var bare = []string{"em0", "js-default", "lo0"}

func request(owner string) Request {
	return Request{Owner: owner, Network: "default", Names: []string{owner}, Ports: published}
}

// stored is an attachment as it comes back from the caller's state file.
func stored(t *testing.T, a *Attachment) *Attachment {
	t.Helper()
	b, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	var back Attachment
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	return &back
}

func TestAttach_WiresAndDetachLeavesNothing(t *testing.T) {
	w := newWorld(t, "")
	ctx := t.Context()
	a, err := w.Reserve(ctx, request("web"))
	if err != nil {
		t.Fatal(err)
	}
	if got := w.machine.names(); !slices.Equal(got, bare) {
		t.Errorf("after Reserve: %v, want %v", got, bare)
	}
	bridge := w.machine.interfaces["js-default"]
	if bridge.Flags&link.FlagUp == 0 || !bridge.Has(netip.MustParseAddr("10.88.0.1")) || bridge.text != "jailshim network default" {
		t.Errorf("bridge: %+v", bridge)
	}
	if w.machine.sysctls["net.inet.ip.forwarding"] != 1 || w.machine.sysctls["net.inet6.ip6.forwarding"] != 1 {
		t.Errorf("sysctls: %v", w.machine.sysctls)
	}
	a = stored(t, a)
	calls, err := w.Attach(ctx, a, 1)
	if err != nil {
		t.Fatal(err)
	}
	end := w.machine.interfaces[a.HostEnd]
	if end == nil || end.Flags&link.FlagUp == 0 || !bridge.members[a.HostEnd] || end.private {
		t.Fatalf("host's end: %+v, members %v", end, bridge.members)
	}
	jailEnd := w.machine.interfaces["1/"+end.pair+"b"]
	if jailEnd == nil || jailEnd.MAC.String() != a.MAC {
		t.Fatalf("jail's end: %+v", jailEnd)
	}
	var did []string
	for _, c := range calls {
		did = append(did, c.What)
	}
	want := []string{
		"rename " + end.pair + "b to eth0", "enable IPv6 on eth0", "enable IPv6 on eth0", "bring up eth0",
		"set address " + a.Addrs[0].String() + " on eth0", "set address " + a.Addrs[1].String() + " on eth0",
		"add route to 0.0.0.0/0 by 10.88.0.1", "add route to ::/0 by " + a.Gateways[1].String(),
	}
	if !slices.Equal(did, want) {
		t.Errorf("in the jail:\ngot  %q\nwant %q", did, want)
	}
	if a.Resolver != "nameserver 192.0.2.53\n" {
		t.Errorf("resolver %q", a.Resolver)
	}
	if text, err := os.ReadFile(a.Hosts); err != nil || !strings.Contains(string(text), "web") {
		t.Errorf("hosts: %q, %v", text, err)
	}
	for n := range 2 {
		if err := w.Detach(ctx, a); err != nil {
			t.Fatalf("Detach %d: %v", n, err)
		}
		w.wantClean(t, "after Detach", bare)
	}
}

// A second Attach, as after a crash, begins anew.
func TestAttach_Repeated(t *testing.T) {
	w := newWorld(t, "")
	a, err := w.Reserve(t.Context(), request("web"))
	if err != nil {
		t.Fatal(err)
	}
	for _, jid := range []int{1, 2} {
		if _, err := w.Attach(t.Context(), a, jid); err != nil {
			t.Fatal(err)
		}
	}
	if got := w.machine.names(); len(got) != len(bare)+2 || strings.HasPrefix(got[0], "1/") {
		t.Errorf("interfaces %v", got)
	}
	if err := w.Detach(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	w.wantClean(t, "after Detach", bare)
}

// An end that came back from a removed jail goes with the host's end.
func TestDetach_JailGone(t *testing.T) {
	w := newWorld(t, "")
	a := w.attached(t)
	w.machine.removeJail(1)
	if err := w.Detach(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	w.wantClean(t, "after Detach", bare)
}

func TestAttach_NoSuchJail(t *testing.T) {
	w := newWorld(t, "")
	a, err := w.Reserve(t.Context(), request("web"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Attach(t.Context(), a, 99); !errors.Is(err, syscall.ENXIO) {
		t.Fatalf("got %v, want ENXIO", err)
	}
	if got := w.machine.names(); !slices.Equal(got, bare) {
		t.Errorf("left: %v", got)
	}
}

func TestNetwork_OptionsReachTheKernel(t *testing.T) {
	w := newWorld(t, `
[networks.inner]
subnets = ["10.99.0.0/24"]
mtu = 1400
isolate = true
bridge = "inner"
nat = "pf"
`)
	r := request("web")
	r.Network, r.Interface, r.IPv4 = "inner", "net0", netip.MustParseAddr("10.99.0.77")
	a, err := w.Reserve(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	calls, err := w.Attach(t.Context(), a, 1)
	if err != nil {
		t.Fatal(err)
	}
	end := w.machine.interfaces[a.HostEnd]
	if !end.private || end.MTU != 1400 || w.machine.interfaces["inner"].MTU != 1400 || w.machine.interfaces["1/"+end.pair+"b"].MTU != 1400 {
		t.Errorf("%+v", end)
	}
	if last := calls[len(calls)-1].What; len(a.Addrs) != 1 || a.Addrs[0].String() != "10.99.0.77/24" || last != "add route to 0.0.0.0/0 by 10.99.0.1" {
		t.Errorf("addresses %v, last call %q", a.Addrs, last)
	}
	if w.machine.sysctls["net.inet6.ip6.forwarding"] != 0 {
		t.Error("a network without IPv6 has the machine forward it")
	}
}

func TestNetwork_AdoptsABridge(t *testing.T) {
	w := newWorld(t, "[networks.lan]\nsubnets = [\"10.99.0.0/24\"]\nbridge = \"bridge0\"\nnat = \"pf\"\n")
	theirs := w.machine.add("bridge0", "", link.TypeBridge)
	r := request("web")
	r.Network = "lan"
	a, err := w.Reserve(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if !theirs.Has(netip.MustParseAddr("10.99.0.1")) || theirs.text != "" {
		t.Errorf("%+v", theirs)
	}
	if err := w.Remove(t.Context(), "lan"); !errdefs.IsFailedPrecondition(err) || !strings.Contains(err.Error(), `"web"`) {
		t.Errorf("Remove of a network in use: %v", err)
	}
	if err := w.Detach(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	if pruned, err := w.Prune(t.Context()); err != nil || !slices.Equal(pruned, []string{"lan"}) {
		t.Fatalf("pruned %v, %v", pruned, err)
	}
	if w.machine.interfaces["bridge0"] == nil || len(theirs.Addrs) != 0 {
		t.Errorf("their bridge afterwards: %+v", theirs)
	}
}

// A bridge of ours whose record is lost is ours still.
func TestNetwork_RecordLost(t *testing.T) {
	w := newWorld(t, "")
	a, err := w.Reserve(t.Context(), request("web"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(w.dir, "run")); err != nil {
		t.Fatal(err)
	}
	w.configure(t, "")
	b, err := w.Reserve(t.Context(), Request{Owner: "db", Network: "default"})
	if err != nil {
		t.Fatal(err)
	}
	w.detachAndRemove(t, a, b)
}

func TestNetwork_ChangedWhileInUse(t *testing.T) {
	w := newWorld(t, "[networks.n]\nsubnets = [\"10.99.0.0/24\"]\n")
	r := request("web")
	r.Network = "n"
	a, err := w.Reserve(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	w.configure(t, "[networks.n]\nsubnets = [\"10.98.0.0/24\"]\n")
	other := Request{Owner: "db", Network: "n"}
	if _, err := w.Reserve(t.Context(), other); !errdefs.IsFailedPrecondition(err) {
		t.Fatalf("got %v", err)
	}
	if err := w.Detach(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	b, err := w.Reserve(t.Context(), other)
	if err != nil {
		t.Fatal(err)
	}
	if want := netip.MustParsePrefix("10.98.0.0/24"); !want.Contains(b.Addrs[0].Addr()) {
		t.Errorf("address %s, want one of %s", b.Addrs[0], want)
	}
	if i := w.machine.interfaces["js-n"]; i.Has(netip.MustParseAddr("10.99.0.1")) || !i.Has(netip.MustParseAddr("10.98.0.1")) {
		t.Errorf("bridge's addresses: %v", i.Addrs)
	}
}

func TestReserve_Refusals(t *testing.T) {
	w := newWorld(t, `
[networks.small]
subnets = ["10.99.0.0/30"]
[networks.clash]
subnets = ["192.0.2.0/24"]
[networks.taken]
subnets = ["10.97.0.0/24"]
bridge = "em0"
[networks.plain]
subnets = ["10.96.0.0/24"]
nat = "none"
`)
	if _, err := w.Reserve(t.Context(), Request{Owner: "first", Network: "small"}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Reserve(t.Context(), request("holder")); err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		r     Request
		is    func(error) bool
		names string
	}{
		"full":              {Request{Owner: "second", Network: "small"}, errdefs.IsResourceExhausted, "small"},
		"overlap":           {Request{Owner: "x", Network: "clash"}, errdefs.IsFailedPrecondition, "em0"},
		"no bridge":         {Request{Owner: "x", Network: "taken"}, errdefs.IsFailedPrecondition, "em0"},
		"no NAT":            {Request{Owner: "x", Network: "plain", Ports: published}, errdefs.IsInvalidArgument, "plain"},
		"unknown":           {Request{Owner: "x", Network: "nowhere"}, errdefs.IsNotFound, "nowhere"},
		"port taken":        {request("x"), errdefs.IsAlreadyExists, "holder"},
		"owner":             {Request{Owner: "A b", Network: "default"}, errdefs.IsInvalidArgument, "A b"},
		"interface":         {Request{Owner: "x", Network: "default", Interface: "0eth"}, errdefs.IsInvalidArgument, "0eth"},
		"long interface":    {Request{Owner: "x", Network: "default", Interface: "ethernet01234567"}, errdefs.IsInvalidArgument, "ethernet"},
		"group MAC":         {Request{Owner: "x", Network: "default", MAC: net.HardwareAddr{1, 0, 0, 0, 0, 1}}, errdefs.IsInvalidArgument, "01:00"},
		"family":            {Request{Owner: "x", Network: "small", IPv6: netip.MustParseAddr("fd00::5")}, errdefs.IsInvalidArgument, "fd00::5"},
		"address elsewhere": {Request{Owner: "x", Network: "default", IPv4: netip.MustParseAddr("10.99.0.2")}, errdefs.IsInvalidArgument, "10.99.0.2"},
		"gateway":           {Request{Owner: "x", Network: "default", IPv4: netip.MustParseAddr("10.88.0.1")}, errdefs.IsInvalidArgument, "10.88.0.1"},
		"address taken":     {Request{Owner: "x", Network: "small", IPv4: netip.MustParseAddr("10.99.0.2")}, errdefs.IsAlreadyExists, "first"},
	} {
		_, err := w.Reserve(t.Context(), c.r)
		if !c.is(err) || !strings.Contains(fmt.Sprint(err), c.names) {
			t.Errorf("%s: %v", what, err)
		}
	}
	w.wall.fail["Check"] = fmt.Errorf("pf is off: %w", errdefs.ErrFailedPrecondition)
	for network, is := range map[string]func(error) bool{
		"clash": errdefs.IsFailedPrecondition, "taken": errdefs.IsFailedPrecondition, "nowhere": errdefs.IsNotFound, "small": errdefs.IsFailedPrecondition,
	} {
		if _, err := w.Check(t.Context(), network); !is(err) {
			t.Errorf("Check %q: %v", network, err)
		}
	}
	delete(w.wall.fail, "Check")
	if _, err := w.Check(t.Context(), "plain"); err != nil || w.machine.interfaces["js-plain"] != nil {
		t.Errorf("Check of a network that can be made: %v, interfaces %v", err, w.machine.names())
	}
	leases, err := w.leases.List(t.Context(), "")
	if err != nil || len(leases) != 2 {
		t.Errorf("leases %v, %v, want those of the two that got one", leases, err)
	}
	if claims, err := w.ports.List(t.Context()); err != nil || len(claims) != 1 {
		t.Errorf("ports %v, %v", claims, err)
	}
	if w.machine.interfaces["js-clash"] != nil || len(w.machine.interfaces["em0"].Addrs) != 1 {
		t.Error("something of a refused network is left")
	}
}

// Many at once get one address each.
func TestReserve_Concurrent(t *testing.T) {
	w := newWorld(t, "")
	const n = 200
	got := make([]*Attachment, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			a, err := w.Reserve(t.Context(), Request{Owner: fmt.Sprintf("c%d", i), Network: "default"})
			if err != nil {
				t.Error(err)
				return
			}
			got[i] = a
		})
	}
	wg.Wait()
	seen := map[netip.Prefix]bool{}
	for _, a := range got {
		if a == nil {
			continue
		}
		for _, p := range a.Addrs {
			if seen[p] {
				t.Errorf("%s was given twice", p)
			}
			seen[p] = true
		}
	}
	if len(seen) != 2*n {
		t.Errorf("%d addresses, want %d", len(seen), 2*n)
	}
}

func TestUndo_RunsAllAndTellsAll(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	first, second, cause := errors.New("first"), errors.New("second"), errors.New("cause")
	var order []string
	var u undo
	u.add(func(ctx context.Context) error { order = append(order, "1"); return errors.Join(first, ctx.Err()) })
	u.add(func(context.Context) error { order = append(order, "2"); return second })
	err := u.run(ctx, cause)
	if !errors.Is(err, cause) || !errors.Is(err, first) || !errors.Is(err, second) || errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if !slices.Equal(order, []string{"2", "1"}) {
		t.Errorf("order %v", order)
	}
}

// What is configured, what is there and who uses it, before, while and after; as Go and
// as the JSON that people's scripts read.
func TestNetworks_ListAndInspect(t *testing.T) {
	w := newWorld(t, "[networks.lan]\nsubnets = [\"10.99.0.0/24\"]\nbridge = \"bridge0\"\nnat = \"pf\"\n")
	w.machine.add("bridge0", "", link.TypeBridge)
	ctx := t.Context()
	r := request("web")
	r.Network, r.Names = "lan", []string{"web", "www"}
	a, err := w.Reserve(ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	summary := func() []string {
		t.Helper()
		all, err := w.Networks(ctx)
		if err != nil {
			t.Fatal(err)
		}
		var texts []string
		for _, n := range all {
			one, err := w.Inspect(ctx, n.Name)
			if err != nil || !reflect.DeepEqual(*one, n) {
				t.Errorf("Inspect %q: %+v, %v, want %+v", n.Name, one, err, n)
			}
			text := fmt.Sprintf("%s configured=%t exists=%t made=%t", n.Name, n.Configured, n.Exists, n.Made)
			for _, m := range n.Members {
				text += fmt.Sprintf(" %s%v attached=%t", m.Owner, m.Names, m.Attached)
			}
			texts = append(texts, text)
		}
		return texts
	}
	want := []string{"default configured=true exists=false made=false", "lan configured=true exists=true made=false web[web www] attached=false"}
	if got := summary(); !slices.Equal(got, want) {
		t.Errorf("reserved:\ngot  %q\nwant %q", got, want)
	}
	if _, err := w.Attach(ctx, a, 1); err != nil {
		t.Fatal(err)
	}
	want[1] = strings.Replace(want[1], "attached=false", "attached=true", 1)
	if got := summary(); !slices.Equal(got, want) {
		t.Errorf("attached:\ngot  %q\nwant %q", got, want)
	}
	n, err := w.Inspect(ctx, "lan")
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(n)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"name":"lan"`, `"prefix":"10.99.0.0/24"`, `"gateway":"10.99.0.1"`, `"owner":"web"`, `"addrs":["10.99.0.2"]`} {
		if !strings.Contains(string(text), part) {
			t.Errorf("JSON %s lacks %s", text, part)
		}
	}
	if strings.Contains(string(text), "ipv6") {
		t.Errorf("JSON of a network without IPv6: %s", text)
	}
	// The file lost the network, which is still in use.
	w.configure(t, "")
	want[1] = strings.Replace(want[1], "configured=true", "configured=false", 1)
	if got := summary(); !slices.Equal(got, want) {
		t.Errorf("no longer configured:\ngot  %q\nwant %q", got, want)
	}
	if _, err := w.Inspect(ctx, "nowhere"); !errdefs.IsNotFound(err) {
		t.Errorf("unknown: %v", err)
	}
	if err := w.Remove(ctx, "nowhere"); !errdefs.IsNotFound(err) {
		t.Errorf("remove an unknown one: %v", err)
	}
	if err := w.Detach(ctx, a); err != nil {
		t.Fatal(err)
	}
	if err := w.Remove(ctx, "lan"); err != nil {
		t.Fatal(err)
	}
	if got := summary(); !slices.Equal(got, want[:1]) {
		t.Errorf("removed: %q", got)
	}
}

// A module that can't be loaded is named, and nothing is left.
func TestReserve_ModuleMissing(t *testing.T) {
	for _, module := range []string{"if_bridge", "if_epair"} {
		w := newWorld(t, "")
		w.machine.missing = module
		_, err := w.Reserve(t.Context(), request("web"))
		if !errors.Is(err, syscall.ENOENT) || !strings.Contains(fmt.Sprint(err), module) || !strings.Contains(fmt.Sprint(err), "kldload(8)") {
			t.Errorf("%s: %v", module, err)
		}
		w.wantClean(t, module, []string{"em0", "lo0"})
		if len(w.wall.entries) > 0 {
			t.Errorf("%s: rules %v", module, w.wall.entries)
		}
	}
}
