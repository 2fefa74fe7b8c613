package firewall

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/containerd/errdefs"

	"jailshim/netsetup/locked"
	"jailshim/netsetup/port"
)

func mappings(t *testing.T, text string) []port.Mapping {
	t.Helper()
	list, err := port.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

var testUplinks = []Uplink{
	{Name: "em0", IPv4: []netip.Addr{netip.MustParseAddr("198.51.100.1")}, IPv6: []netip.Addr{netip.MustParseAddr("2001:db8::1")}},
	{Name: "jt-fw0", IPv4: []netip.Addr{netip.MustParseAddr("10.87.9.1")}},
	{Name: "tun0", IPv4: []netip.Addr{netip.MustParseAddr("203.0.113.1")}},
}

func TestPFNetworkRules(t *testing.T) {
	n := testNetwork()
	want := `nat on "em0" inet from 10.87.9.0/24 to any -> ("em0:0")
nat on "tun0" inet from 10.87.9.0/24 to any -> ("tun0:0")
nat on "em0" inet6 from fd00:87:9::/64 to any -> ("em0:0")
nat on "jt-fw0" inet from { 10.87.9.0/24, 127.0.0.0/8 } to 10.87.9.0/24 -> 10.87.9.1
nat on "jt-fw0" inet6 from fd00:87:9::/64 to fd00:87:9::/64 -> fd00:87:9::1
pass in on "jt-fw0" inet from 10.87.9.0/24 to ! (self)
pass out on "jt-fw0" inet from any to 10.87.9.0/24
pass in on "jt-fw0" inet6 from fd00:87:9::/64 to ! (self)
pass out on "jt-fw0" inet6 from any to fd00:87:9::/64
`
	if got := pfNetworkRules(n, testUplinks); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	n.Isolate = true
	const block = "block drop in quick on \"jt-fw0\" inet from 10.87.9.0/24 to { 10.87.9.0/24, ! 10.87.9.1 }\n"
	if got := pfNetworkRules(n, testUplinks); !strings.Contains(got, block) {
		t.Errorf("isolated:\n%s", got)
	}
	n.IPv4 = netip.Prefix{}
	if got := pfNetworkRules(n, testUplinks); strings.Contains(got, "inet ") || !strings.Contains(got, "inet6 ") {
		t.Errorf("IPv6 only:\n%s", got)
	}
}

func TestPFPublishRules(t *testing.T) {
	a := testAttachment("one", 11)
	a.Ports = mappings(t, "8080:80,192.0.2.1:9001-9002:81-82/udp")
	want := `rdr inet proto tcp from any to (self) port 8080 -> 10.87.9.11 port 80
rdr inet6 proto tcp from any to (self) port 8080 -> fd00:87:9::11 port 80
rdr inet proto udp from any to 192.0.2.1 port 9001:9002 -> 10.87.9.11 port 81:*
pass in inet proto tcp from any to 10.87.9.11 port 80
pass in inet6 proto tcp from any to fd00:87:9::11 port 80
pass in inet proto udp from any to 10.87.9.11 port 81:82
`
	if got, err := pfPublishRules(a); err != nil || got != want {
		t.Errorf("got\n%s%v\nwant\n%s", got, err, want)
	}
	a.Ports = mappings(t, "[::1]:8080:80")
	if _, err := pfPublishRules(a); !errors.Is(err, errdefs.ErrNotImplemented) {
		t.Errorf("::1: %v", err)
	}
	a.Ports, a.IPv4 = mappings(t, "192.0.2.1:8080:80"), netip.Addr{}
	if _, err := pfPublishRules(a); !errors.Is(err, errdefs.ErrInvalidArgument) {
		t.Errorf("no IPv4: %v", err)
	}
}

func TestCheckPFHooks(t *testing.T) {
	rules := "nat-anchor \"jailshim/*\" all\nrdr-anchor \"jailshim/*\" all\npass all\nanchor \"jailshim/*\" all\n"
	if err := checkPFHooks(rules); err != nil {
		t.Error(err)
	}
	for _, hook := range pfHooks {
		err := checkPFHooks(strings.ReplaceAll("\n"+rules, "\n"+hook, "\nx"))
		if !errors.Is(err, errdefs.ErrFailedPrecondition) || !strings.Contains(err.Error(), "lines "+hook+";") {
			t.Errorf("without %s: %v", hook, err)
		}
	}
}

// fakePF is a pf in memory. fail is the call that fails; "load" can be that of one anchor.
type fakePF struct {
	loaded, on, local bool
	rules             map[string]string
	main              string
	killed            []netip.Addr
	loads             int
	fail              string
	links             []Uplink
}

var errFake = errors.New("injected")

func (f *fakePF) failing(call string) error {
	if f.fail == call {
		return errFake
	}
	return nil
}

func (f *fakePF) running() (bool, bool, error)              { return f.loaded, f.on, f.failing("running") }
func (f *fakePF) mainRules(context.Context) (string, error) { return f.main, f.failing("mainRules") }
func (f *fakePF) load(_ context.Context, anchor, rules string) error {
	if err := errors.Join(f.failing("load"), f.failing("load "+anchor)); err != nil {
		return err
	}
	f.loads++
	f.rules[anchor] = rules
	return nil
}
func (f *fakePF) exists(anchor string) (bool, error) {
	return f.rules[anchor] != "", f.failing("exists")
}
func (f *fakePF) anchors(parent string) ([]string, error) {
	var names []string
	for a := range f.rules {
		names = append(names, strings.TrimPrefix(a, parent+"/"))
	}
	slices.Sort(names)
	return names, f.failing("anchors")
}
func (f *fakePF) flush(anchor string) error {
	delete(f.rules, anchor)
	return f.failing("flush")
}
func (f *fakePF) killStates(a netip.Addr) error {
	f.killed = append(f.killed, a)
	return f.failing("killStates")
}
func (f *fakePF) filtersLocal() (bool, error) { return f.local, f.failing("filtersLocal") }
func (f *fakePF) uplinks() ([]Uplink, error)  { return f.links, f.failing("uplinks") }

func newFakePF(t *testing.T) (*pfDriver, *fakePF) {
	t.Helper()
	folder, err := locked.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	f := &fakePF{loaded: true, on: true, local: true, rules: map[string]string{}, main: strings.Join(pfHooks, "\n") + "\n", links: testUplinks}
	return &pfDriver{kernel: f, folder: folder}, f
}

func TestPF_Life(t *testing.T) {
	d, f := newFakePF(t)
	ctx, n, a := t.Context(), testNetwork(), testAttachment("one", 11)
	a.Ports = mappings(t, "8080:80")
	for i := range 2 {
		if warnings, err := d.AddNetwork(ctx, n); err != nil || len(warnings) > 0 || f.loads != 1 {
			t.Fatalf("round %d: %v, %v, %d loads", i, warnings, err, f.loads)
		}
	}
	if err := d.Publish(ctx, testAttachment("two", 12)); err != nil || f.loads != 1 {
		t.Errorf("without ports: %v, %d loads", err, f.loads)
	}
	if err := d.Publish(ctx, a); err != nil || len(f.rules) != 2 {
		t.Errorf("%v: %v", err, f.rules)
	}
	if list, err := d.List(ctx); err != nil || len(list) != 2 || !slices.Contains(list, Entry{ID: ID(n.Name, "one")}) {
		t.Errorf("list %v, %v", list, err)
	}
	// Somebody flushed everything: the next container gets it back.
	clear(f.rules)
	if _, err := d.AddNetwork(ctx, n); err != nil || len(f.rules) != 1 {
		t.Errorf("flushed: %v, %v", err, f.rules)
	}
	if err := d.Unpublish(ctx, a); err != nil || !slices.Equal(f.killed, []netip.Addr{a.IPv4, a.IPv6}) {
		t.Errorf("%v, killed %v", err, f.killed)
	}
	for range 2 {
		if err := d.RemoveNetwork(ctx, n); err != nil || len(f.rules) != 0 {
			t.Errorf("%v: %v", err, f.rules)
		}
	}
}

// outdate has the next call look at the uplinks again.
func (d *pfDriver) outdate(t *testing.T) {
	t.Helper()
	if err := d.update(t.Context(), func(r *record) error { r.Seen = time.Now().Add(-2 * uplinksAge); return nil }); err != nil {
		t.Fatal(err)
	}
}

// A new uplink is seen with a later container, for all networks.
func TestPF_NewUplink(t *testing.T) {
	d, f := newFakePF(t)
	one, two, gone := testNetwork(), testNetwork(), testNetwork()
	two.Name, gone.Name = "two", "gone"
	for _, n := range []Network{one, two, gone} {
		if _, err := d.AddNetwork(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Remove(t.Context(), Entry{ID: ID(gone.Name, "")}); err != nil {
		t.Fatal(err)
	}
	f.links = append(slices.Clone(testUplinks), Uplink{Name: "wg0", IPv4: []netip.Addr{netip.MustParseAddr("192.0.2.77")}})
	d.outdate(t)
	// What could not be loaded is tried again, not a minute later.
	f.fail = "load " + pfAnchor(ID(two.Name, ""))
	if _, err := d.AddNetwork(t.Context(), one); !errors.Is(err, errFake) || !strings.Contains(err.Error(), `"two"`) {
		t.Errorf("got %v", err)
	}
	f.fail = ""
	if _, err := d.AddNetwork(t.Context(), one); err != nil || len(f.rules) != 2 {
		t.Errorf("%v, rules %v", err, f.rules)
	}
	for anchor, rules := range f.rules {
		if !strings.Contains(rules, `"wg0"`) {
			t.Errorf("%s:\n%s", anchor, rules)
		}
	}
}

// Check tells the same before anything is loaded, and loads nothing.
func TestPF_Off_SaysWhatToDo(t *testing.T) {
	d, f := newFakePF(t)
	f.local = false
	if warnings, err := d.Check(t.Context()); err != nil || !slices.Equal(warnings, []string{localWarning}) || len(f.rules) > 0 {
		t.Errorf("Check, filter_local: %v, %v, rules %v", warnings, err, f.rules)
	}
	if warnings, err := d.AddNetwork(t.Context(), testNetwork()); err != nil || !slices.Equal(warnings, []string{localWarning}) {
		t.Errorf("filter_local: %v, %v", warnings, err)
	}
	refused := func(what, want string) {
		t.Helper()
		_, checked := d.Check(t.Context())
		_, added := d.AddNetwork(t.Context(), Network{Name: "another"})
		for _, err := range []error{checked, added} {
			if !errors.Is(err, errdefs.ErrFailedPrecondition) || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
	main := f.main
	f.main = "pass all\n"
	refused("no hooks", `rdr-anchor "jailshim/*"`)
	f.main, f.on = main, false
	refused("disabled", "service pf start")
	f.loaded = false
	refused("not loaded", "pf_enable")
}

func TestPF_Failures_AreTold(t *testing.T) {
	for _, call := range []string{"running", "mainRules", "load", "filtersLocal", "uplinks"} {
		d, f := newFakePF(t)
		f.fail = call
		if _, err := d.AddNetwork(t.Context(), testNetwork()); !errors.Is(err, errFake) {
			t.Errorf("%s: %v", call, err)
		}
		if _, err := d.Check(t.Context()); errors.Is(err, errFake) == (call == "load" || call == "uplinks") {
			t.Errorf("Check, %s: %v", call, err)
		}
		f.fail = ""
		if _, err := d.AddNetwork(t.Context(), testNetwork()); err != nil || len(f.rules) != 1 {
			t.Errorf("after %s: %v, %v", call, err, f.rules)
		}
	}
	for _, call := range []string{"flush", "killStates"} {
		d, f := newFakePF(t)
		f.fail = call
		a := testAttachment("one", 11)
		a.Ports = mappings(t, "8080:80")
		// All of it is tried, whatever fails.
		if err := d.Unpublish(t.Context(), a); !errors.Is(err, errFake) || len(f.killed) != 2 {
			t.Errorf("%s: %v, killed %v", call, err, f.killed)
		}
	}
}
