package firewall

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/containerd/errdefs"

	"jailshim/netsetup/firewall/ipfw"
	"jailshim/netsetup/locked"
)

// fakeIPFW is an ipfw in memory; the call with the number failAt fails.
type fakeIPFW struct {
	rules    map[uint8][]ipfw.Rule
	disabled map[uint8]bool
	tables   map[string]map[string]uint32
	nats     map[uint16]ipfw.Instance
	calls    int
	failAt   int
	checks   bool
	missing  error // of open
}

func (f *fakeIPFW) call() error {
	f.calls++
	if f.calls == f.failAt {
		return errFake
	}
	return nil
}

func (f *fakeIPFW) Close() error { return nil }

func (f *fakeIPFW) AddRules(rules []ipfw.Rule) error {
	if err := f.call(); err != nil {
		return err
	}
	if !slices.IsSortedFunc(rules, func(a, b ipfw.Rule) int { return cmp.Compare(a.Number, b.Number) }) {
		return errors.New("rules in the wrong order")
	}
	for _, r := range rules {
		f.rules[r.Set] = append(f.rules[r.Set], r)
	}
	return nil
}

func (f *fakeIPFW) DeleteRules(set uint8, first, last uint32) error {
	if err := f.call(); err != nil {
		return err
	}
	f.rules[set] = slices.DeleteFunc(f.rules[set], func(r ipfw.Rule) bool { return r.Number >= first && r.Number <= last })
	return nil
}

func (f *fakeIPFW) DisableSet(set uint8) error { f.disabled[set] = true; return f.call() }
func (f *fakeIPFW) EnableSet(set uint8) error  { f.disabled[set] = false; return f.call() }

func (f *fakeIPFW) SwapSets(a, b uint8) error {
	if err := f.call(); err != nil {
		return err
	}
	f.rules[a], f.rules[b] = f.rules[b], f.rules[a]
	for set, rules := range f.rules {
		for i := range rules {
			rules[i].Set = set
		}
	}
	return nil
}

func (f *fakeIPFW) Rules(first, last uint32) ([]ipfw.Rule, error) {
	var list []ipfw.Rule
	for _, rules := range f.rules {
		for _, r := range rules {
			if r.Number >= first && r.Number <= last {
				list = append(list, r)
			}
		}
	}
	return list, f.call()
}

func (f *fakeIPFW) CreateTable(name string, _ ipfw.FlowKey) (bool, error) {
	if f.tables[name] != nil {
		return false, f.call()
	}
	if err := f.call(); err != nil {
		return false, err
	}
	f.tables[name] = map[string]uint32{}
	return true, nil
}

func (f *fakeIPFW) DestroyTable(name string) error {
	if err := f.call(); err != nil {
		return err
	}
	if len(f.rules[ipfwSet]) > 0 {
		return errors.New("rules look the table up")
	}
	delete(f.tables, name)
	return nil
}

func key(e ipfw.Entry) string { return fmt.Sprint(e.Addr, e.Proto, e.Port) }

func (f *fakeIPFW) AddEntries(table string, _ ipfw.FlowKey, entries []ipfw.Entry) error {
	if err := f.call(); err != nil {
		return err
	}
	for _, e := range entries {
		if _, ok := f.nats[uint16(e.NAT)]; !ok {
			return errors.New("an entry leads to no instance")
		}
		f.tables[table][key(e)] = e.NAT
	}
	return nil
}

func (f *fakeIPFW) DeleteEntries(table string, _ ipfw.FlowKey, entries []ipfw.Entry) error {
	if err := f.call(); err != nil {
		return err
	}
	for _, e := range entries {
		delete(f.tables[table], key(e))
	}
	return nil
}

func (f *fakeIPFW) SetNAT(n ipfw.Instance) error {
	if err := f.call(); err != nil {
		return err
	}
	f.nats[n.Number] = n
	return nil
}

func (f *fakeIPFW) DeleteNAT(number uint16) error {
	if err := f.call(); err != nil {
		return err
	}
	for _, table := range f.tables {
		for _, n := range table {
			if uint16(n) == number {
				return errors.New("an entry leads to the instance")
			}
		}
	}
	delete(f.nats, number)
	return nil
}

func (f *fakeIPFW) NATs() ([]uint16, error) {
	return slices.Sorted(maps.Keys(f.nats)), f.call()
}

func (f *fakeIPFW) empty() bool {
	return len(f.rules[ipfwSet])+len(f.rules[ipfwStaging])+len(f.nats)+len(f.tables) == 0 && !f.disabled[ipfwStaging]
}

func newFakeIPFW(t *testing.T) (*ipfwDriver, *fakeIPFW) {
	t.Helper()
	folder, err := locked.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	f := &fakeIPFW{rules: map[uint8][]ipfw.Rule{}, disabled: map[uint8]bool{}, tables: map[string]map[string]uint32{}, nats: map[uint16]ipfw.Instance{}}
	return &ipfwDriver{folder: folder, host: ipfwHost{
		open:         func() (ipfwConn, error) { return f, f.missing },
		uplinks:      func() ([]Uplink, error) { return testUplinks, nil },
		checksSource: func() (bool, error) { return f.checks, nil },
	}}, f
}

func TestIPFW_Life(t *testing.T) {
	d, f := newFakeIPFW(t)
	ctx, n, a := t.Context(), testNetwork(), testAttachment("one", 11)
	if warnings, err := d.AddNetwork(ctx, n); err != nil || !slices.Equal(warnings, []string{ipv6Warning}) {
		t.Fatalf("%v, %v", warnings, err)
	}
	if len(f.rules[ipfwSet]) == 0 || len(f.rules[ipfwStaging]) > 0 || f.disabled[ipfwStaging] || len(f.tables) != 4 || len(f.nats) != 1+len(testUplinks) {
		t.Errorf("got %+v", f)
	}
	calls := f.calls
	if warnings, err := d.AddNetwork(ctx, n); err != nil || len(warnings) > 0 || f.calls != calls+1 {
		t.Errorf("again: %v, %v, %d calls", warnings, err, f.calls-calls)
	}
	a.Ports = mappings(t, "8080-8081:80-81,192.0.2.1:53:53/udp")
	for range 2 {
		if err := d.Publish(ctx, a); err != nil {
			t.Fatal(err)
		}
		got := map[string]int{}
		for name, table := range f.tables {
			got[name] = len(table)
		}
		// Two ports at three addresses, and one at one; not for the host at the bridge's.
		if want := map[string]int{ipfwTableIn: 7, ipfwTableHostIn: 5, ipfwTableOut: 3, ipfwTableHostOut: 3}; !reflect.DeepEqual(got, want) || len(f.nats) != 3+len(testUplinks) {
			t.Errorf("got %v and %d instances, want %v", got, len(f.nats), want)
		}
	}
	// Somebody destroyed tables and rules: the next container gets them back.
	clear(f.tables)
	clear(f.rules)
	if _, err := d.AddNetwork(ctx, n); err != nil || len(f.tables[ipfwTableIn]) != 7 || len(f.rules[ipfwSet]) == 0 {
		t.Errorf("flushed: %v, %v", err, f.tables)
	}
	f.nats[41999] = ipfw.Instance{Number: 41999}
	f.nats[1] = ipfw.Instance{Number: 1} // the user's
	list, err := d.List(ctx)
	if want := []Entry{{ID(n.Name, "")}, {ID(n.Name, "one")}, {"nat-41999"}}; err != nil || !slices.Equal(list, want) {
		t.Errorf("list %v, %v, want %v", list, err, want)
	}
	for range 2 {
		for _, e := range list {
			if err := d.Remove(ctx, e); err != nil {
				t.Error(err)
			}
		}
	}
	delete(f.nats, 1)
	if !f.empty() {
		t.Errorf("left %+v", f)
	}
}

// Whatever call fails, a repetition makes it right, and removal leaves nothing.
func TestIPFW_FailureAtEachCall_LeavesNothing(t *testing.T) {
	n, a := testNetwork(), testAttachment("one", 11)
	a.Ports = mappings(t, "8080:80")
	steps := func(d *ipfwDriver) error {
		if _, err := d.AddNetwork(context.Background(), n); err != nil {
			return err
		}
		if err := d.Publish(context.Background(), a); err != nil {
			return err
		}
		if err := d.Unpublish(context.Background(), a); err != nil {
			return err
		}
		return d.RemoveNetwork(context.Background(), n)
	}
	d, f := newFakeIPFW(t)
	if err := steps(d); err != nil || !f.empty() {
		t.Fatalf("%v, left %+v", err, f)
	}
	for at := range f.calls {
		d, f := newFakeIPFW(t)
		f.failAt = at + 1
		if err := steps(d); !errors.Is(err, errFake) {
			t.Errorf("call %d: %v", at, err)
		}
		if err := steps(d); err != nil || !f.empty() {
			t.Errorf("call %d: %v, left %+v", at, err, f)
		}
	}
}

func TestIPFW_Refuses(t *testing.T) {
	d, f := newFakeIPFW(t)
	f.checks = true
	if warnings, err := d.Check(t.Context()); err != nil || !slices.Equal(warnings, []string{sourceWarning}) || len(f.rules[ipfwSet]) > 0 {
		t.Errorf("Check: %v, %v", warnings, err)
	}
	if warnings, err := d.AddNetwork(t.Context(), testNetwork()); err != nil || !slices.Contains(warnings, sourceWarning) {
		t.Errorf("%v, %v", warnings, err)
	}
	for text, want := range map[string]string{
		"[2001:db8::1]:80:80": "no NAT for IPv6", "127.0.0.1:80:80": "from 127.0.0.1", "80:80/sctp": "ports of sctp",
	} {
		a := testAttachment("one", 11)
		a.Ports = mappings(t, text)
		if err := d.Publish(t.Context(), a); !errors.Is(err, errdefs.ErrNotImplemented) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
		a.Ports, a.IPv4 = mappings(t, "80:80"), netip.Addr{}
		if err := d.Publish(t.Context(), a); !errors.Is(err, errdefs.ErrNotImplemented) {
			t.Errorf("no IPv4: %v", err)
		}
	}
	f.missing = ipfw.ErrNotLoaded
	if _, err := d.AddNetwork(t.Context(), testNetwork()); !errors.Is(err, errdefs.ErrFailedPrecondition) || !strings.Contains(err.Error(), "service ipfw start") {
		t.Errorf("not loaded: %v", err)
	}
	if _, err := d.Check(t.Context()); !errors.Is(err, errdefs.ErrFailedPrecondition) {
		t.Errorf("Check, not loaded: %v", err)
	}
	if list, err := d.List(t.Context()); err != nil || len(list) > 0 {
		t.Errorf("not loaded: %v, %v", list, err)
	}
	if err := d.RemoveNetwork(t.Context(), testNetwork()); err != nil {
		t.Errorf("not loaded: %v", err)
	}
}

func TestIPFW_NumbersAreNotUsedTwice(t *testing.T) {
	r := &ipfwRecord{Slots: map[string]slot{}}
	for range 3 {
		n, err := r.free()
		if _, used := r.Slots[fmt.Sprint(n)]; err != nil || used || n < ipfwFirstSlot {
			t.Fatalf("got %d, %v", n, err)
		}
		r.Slots[fmt.Sprint(n)] = slot{Number: n}
	}
	for n := uint16(ipfwFirstSlot); n < ipfwLastNAT; n += 2 {
		r.Slots[fmt.Sprint(n)] = slot{Number: n}
	}
	if _, err := r.free(); !errors.Is(err, errdefs.ErrResourceExhausted) {
		t.Errorf("full: %v", err)
	}
	delete(r.Slots, "41004")
	if n, err := r.free(); err != nil || n != 41004 {
		t.Errorf("got %d, %v", n, err)
	}
}

func TestNone(t *testing.T) {
	d, err := Select(t.Context(), None, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	a := testAttachment("one", 11)
	_, added := d.AddNetwork(t.Context(), a.Network)
	_, checked := d.Check(t.Context())
	if err := errors.Join(added, checked, d.Publish(t.Context(), a), d.Unpublish(t.Context(), a), d.RemoveNetwork(t.Context(), a.Network), d.Remove(t.Context(), Entry{})); err != nil {
		t.Error(err)
	}
	a.Ports = mappings(t, "80:80")
	if err := d.Publish(t.Context(), a); !errors.Is(err, errdefs.ErrFailedPrecondition) {
		t.Errorf("with ports: %v", err)
	}
	if _, err := Select(t.Context(), "iptables", t.TempDir()); !errors.Is(err, errdefs.ErrInvalidArgument) {
		t.Errorf("unknown: %v", err)
	}
}
