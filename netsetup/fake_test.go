package netsetup

import (
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"jailshim/netsetup/firewall"
	"jailshim/netsetup/link"
)

// machine is a kernel that keeps interfaces and sysctls, for the order of calls and
// for failures in their middle. It knows what the calls of this package do, and
// refuses what the real one refuses.
type machine struct {
	mu         sync.Mutex
	interfaces map[string]*fakeInterface
	sysctls    map[string]int
	modules    map[string]bool
	missing    string       // a module that can't be loaded
	jails      map[int]bool // living jails with a network stack of their own
	index      int
	calls      int
	// refuse is asked before each call; kill after it.
	refuse func(n int, c link.Call) error
	kill   func(n int)
	// listing is called before and after each list of the interfaces.
	listing func(done bool)
}

type fakeInterface struct {
	link.Interface
	jid     int
	pair    string // the kernel's name of the epair
	unit    string // the kernel's own name
	members map[string]bool
	private bool
	text    string
}

func newMachine() *machine {
	m := &machine{
		interfaces: map[string]*fakeInterface{},
		sysctls:    map[string]int{"net.inet.ip.forwarding": 0, "net.inet6.ip6.forwarding": 0},
		modules:    map[string]bool{},
		jails:      map[int]bool{1: true, 2: true, 3: true},
	}
	m.add("em0", "", 6).Addrs = []netip.Prefix{netip.MustParsePrefix("192.0.2.7/24")}
	m.add("lo0", "", 24)
	return m
}

func (m *machine) add(name, pair string, kind int) *fakeInterface {
	m.index++
	i := &fakeInterface{
		Interface: link.Interface{Name: name, Index: m.index, Type: kind, MTU: 1500, MAC: []byte{2, 0, 0, 0, 0, byte(m.index)}},
		pair:      pair, unit: name, members: map[string]bool{},
	}
	m.interfaces[name] = i
	return i
}

// The ioctls that the fake knows, by their numbers in sys/sys/sockio.h.
const (
	nSetFlags, nGetFlags, nDelAddr, nAddAddr6, nSetCap, nGetCap = 16, 17, 25, 27, 30, 31
	nRename, nDescribe, nDescription, nAddAddr, nMTU, nMAC      = 40, 41, 42, 43, 52, 60
	nMoveTo, nMoveBack, nGetND6, nSetND6                        = 90, 91, 108, 109
	nDestroy, nBridge, nCreate, nGroup                          = 121, 123, 124, 135
)

func (m *machine) Run(calls []link.Call) error {
	for i := range calls {
		if err := m.run(&calls[i]); err != nil {
			return err
		}
	}
	return nil
}

func (m *machine) run(c *link.Call) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls++
	if m.refuse != nil {
		if err := m.refuse(m.calls, *c); err != nil {
			return err
		}
	}
	errno := m.do(c)
	if m.kill != nil {
		m.kill(m.calls)
	}
	if errno != 0 && !slices.Contains(c.Allow, errno) {
		return &link.Error{What: c.What, Errno: errno}
	}
	return nil
}

func cString(b []byte) string {
	s, _, _ := strings.Cut(string(b), "\x00")
	return s
}

func (m *machine) do(c *link.Call) syscall.Errno {
	name, number := cString(c.Data[:16]), c.Request&0xff
	if number == nCreate {
		return m.create(name)
	}
	i := m.interfaces[name]
	value := binary.LittleEndian.Uint32(c.Data[16:])
	if number == nMoveBack {
		return m.moveBack(name, int(value))
	}
	if i == nil {
		return syscall.ENXIO
	}
	switch number {
	case nDestroy:
		m.destroy(i)
	case nRename:
		to := cString(c.Indirect)
		if m.interfaces[to] != nil {
			return syscall.EEXIST
		}
		delete(m.interfaces, name)
		i.Name = to
		m.interfaces[to] = i
	case nSetFlags:
		i.Flags = value
	case nGetFlags:
		binary.LittleEndian.PutUint32(c.Data[16:], i.Flags)
	case nMTU:
		i.MTU = int(value)
	case nMAC:
		i.MAC = slices.Clone(c.Data[18:24])
	case nDescribe:
		i.text = cString(c.Indirect)
	case nDescription:
		copy(c.Indirect, i.text)
	case nAddAddr, nAddAddr6:
		a := addrOf(c)
		if !i.Has(a) {
			i.Addrs = append(i.Addrs, netip.PrefixFrom(a, a.BitLen()))
		}
	case nDelAddr:
		a := addrOf(c)
		if !i.Has(a) {
			return 49 // EADDRNOTAVAIL of FreeBSD
		}
		i.Addrs = slices.DeleteFunc(i.Addrs, func(p netip.Prefix) bool { return p.Addr() == a })
	case nMoveTo:
		if !m.jails[int(value)] {
			return syscall.ENXIO
		}
		delete(m.interfaces, name)
		i.jid, i.Addrs, i.Flags = int(value), nil, 0
		m.interfaces[fmt.Sprintf("%d/%s", value, name)] = i
	case nBridge:
		return m.bridge(i, c)
	case nSetCap, nGetCap, nGetND6, nSetND6, nGroup:
	default:
		return syscall.EOPNOTSUPP
	}
	return 0
}

func addrOf(c *link.Call) netip.Addr {
	at, size := 20, 4
	if c.Data[17] == 28 { // AF_INET6
		at, size = 24, 16
	}
	a, _ := netip.AddrFromSlice(c.Data[at : at+size])
	return a
}

func (m *machine) create(name string) syscall.Errno {
	for _, i := range m.interfaces {
		if i.unit == name || i.pair == name {
			return syscall.EEXIST
		}
	}
	kind := strings.TrimRight(name, "0123456789")
	if !m.modules["if_"+kind] {
		return syscall.EINVAL
	}
	if kind == "bridge" {
		m.add(name, "", link.TypeBridge)
		return 0
	}
	m.add(name+"a", name, link.TypeEthernet)
	m.add(name+"b", name, link.TypeEthernet)
	return 0
}

func (m *machine) destroy(i *fakeInterface) {
	for name, other := range m.interfaces {
		if other == i || i.pair != "" && other.pair == i.pair {
			delete(m.interfaces, name)
			for _, b := range m.interfaces {
				delete(b.members, other.Name)
			}
		}
	}
}

func (m *machine) bridge(i *fakeInterface, c *link.Call) syscall.Errno {
	member, cmd := cString(c.Indirect[:16]), binary.LittleEndian.Uint64(c.Data[16:])
	if m.interfaces[member] == nil {
		return syscall.ENOENT
	}
	switch cmd {
	case 0: // BRDGADD
		i.members[member] = true
	case 3: // BRDGSIFFLGS
		m.interfaces[member].private = c.Private()
	}
	return 0
}

func (m *machine) moveBack(name string, jid int) syscall.Errno {
	key := fmt.Sprintf("%d/%s", jid, name)
	i := m.interfaces[key]
	if i == nil || !m.jails[jid] {
		return syscall.ENXIO
	}
	delete(m.interfaces, key)
	i.jid = 0
	m.interfaces[name] = i
	return 0
}

// removeJail gives back what is in a jail, under the names that it has there.
func (m *machine) removeJail(jid int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.jails[jid] = false
	for key, i := range maps.Clone(m.interfaces) {
		if i.jid == jid {
			delete(m.interfaces, key)
			i.jid = 0
			m.interfaces[i.Name] = i
		}
	}
}

func (m *machine) List() ([]link.Interface, error) {
	if m.listing != nil {
		m.listing(false)
		defer m.listing(true)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []link.Interface
	for _, i := range m.interfaces {
		if i.jid == 0 {
			c := i.Interface
			c.Addrs = slices.Clone(c.Addrs)
			list = append(list, c)
		}
	}
	slices.SortFunc(list, func(a, b link.Interface) int { return a.Index - b.Index })
	return list, nil
}

func (m *machine) Sysctl(name string) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := m.sysctls[name]
	if !ok {
		return 0, syscall.ENOENT
	}
	return v, nil
}

func (m *machine) SetSysctl(name string, v int) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sysctls[name] = v
	return nil
}

func (m *machine) LoadModule(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if name == m.missing {
		return syscall.ENOENT
	}
	m.modules[name] = true
	return nil
}

// names returns all interfaces, also those in jails, sorted.
func (m *machine) names() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.interfaces))
}

// wall is a firewall that remembers.
type wall struct {
	mu      sync.Mutex
	entries map[string]bool
	// fail is returned by the method of a name.
	fail map[string]error
}

func newWall() *wall { return &wall{entries: map[string]bool{}, fail: map[string]error{}} }

func (w *wall) set(method, id string, there bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if there {
		w.entries[id] = true
	}
	if err := w.fail[method]; err != nil {
		return err
	}
	if !there {
		delete(w.entries, id)
	}
	return nil
}

func (w *wall) Name() string { return firewall.PF }

func (w *wall) Check(context.Context) ([]string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return nil, w.fail["Check"]
}

func (w *wall) AddNetwork(_ context.Context, n firewall.Network) ([]string, error) {
	return nil, w.set("AddNetwork", firewall.ID(n.Name, ""), true)
}

func (w *wall) RemoveNetwork(_ context.Context, n firewall.Network) error {
	return w.set("RemoveNetwork", firewall.ID(n.Name, ""), false)
}

func (w *wall) Publish(_ context.Context, a firewall.Attachment) error {
	if len(a.Ports) == 0 {
		return nil
	}
	return w.set("Publish", firewall.ID(a.Network.Name, a.Owner), true)
}

func (w *wall) Unpublish(_ context.Context, a firewall.Attachment) error {
	return w.set("Unpublish", firewall.ID(a.Network.Name, a.Owner), false)
}

func (w *wall) Remove(_ context.Context, e firewall.Entry) error { return w.set("Remove", e.ID, false) }

func (w *wall) List(context.Context) ([]firewall.Entry, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []firewall.Entry
	for _, id := range slices.Sorted(maps.Keys(w.entries)) {
		list = append(list, firewall.Entry{ID: id})
	}
	return list, nil
}

// world is a Manager on a machine of its own.
type world struct {
	*Manager
	machine *machine
	wall    *wall
	dir     string

	mu     sync.Mutex
	points []string // passed so far; guarded by mu
	// at is called at each point.
	at func(point string) error
}

func newWorld(t *testing.T, toml string) *world {
	t.Helper()
	w := &world{machine: newMachine(), wall: newWall(), dir: t.TempDir()}
	w.configure(t, toml)
	return w
}

// configure opens the Manager anew with a configuration, in the folders that it had.
func (w *world) configure(t *testing.T, toml string) {
	t.Helper()
	file := filepath.Join(w.dir, "jailshim.toml")
	if err := os.WriteFile(file, []byte(toml), 0o600); err != nil {
		t.Fatal(err)
	}
	resolv := filepath.Join(w.dir, "resolv.conf")
	if err := os.WriteFile(resolv, []byte("nameserver 192.0.2.53\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := open(Options{
		Config: file, StateDir: filepath.Join(w.dir, "db"), RunDir: filepath.Join(w.dir, "run"),
		LinkDir: filepath.Join(w.dir, "link"), Resolver: resolv,
	}, w.machine, w.reached, func(context.Context, string, string) (firewall.Driver, error) { return w.wall, nil })
	if err != nil {
		t.Fatal(err)
	}
	w.Manager = m
}

func (w *world) reached(point string) error {
	w.mu.Lock()
	w.points = append(w.points, point)
	w.mu.Unlock()
	if w.at != nil {
		return w.at(point)
	}
	return nil
}

// killed is what a simulated SIGKILL panics with.
type killed struct{}

// survive calls f, which may be killed, and tells whether it was.
func survive(f func()) (dead bool) {
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(killed); !ok {
				panic(r)
			}
			dead = true
		}
	}()
	f()
	return false
}

// wantClean checks that nothing of any container is left.
func (w *world) wantClean(t *testing.T, what string, wantInterfaces []string) {
	t.Helper()
	ctx := t.Context()
	if got := w.machine.names(); !slices.Equal(got, wantInterfaces) {
		t.Errorf("%s: interfaces\ngot  %v\nwant %v", what, got, wantInterfaces)
	}
	if leases, err := w.leases.List(ctx, ""); err != nil || len(leases) != 0 {
		t.Errorf("%s: leases %v, %v", what, leases, err)
	}
	if claims, err := w.ports.List(ctx); err != nil || len(claims) != 0 {
		t.Errorf("%s: ports %v, %v", what, claims, err)
	}
	if entries, err := w.names.List(ctx, "default"); err != nil || len(entries) != 0 {
		t.Errorf("%s: names %v, %v", what, entries, err)
	}
	for id := range w.wall.entries {
		if strings.HasPrefix(id, "jail-") {
			t.Errorf("%s: rules %s", what, id)
		}
	}
}

// attached returns a container web of the default network, which is attached to jail 1.
func (w *world) attached(t *testing.T) *Attachment {
	t.Helper()
	a, err := w.Reserve(t.Context(), request("web"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Attach(t.Context(), a, 1); err != nil {
		t.Fatal(err)
	}
	return a
}

// detachAndRemove detaches the containers of the default network and removes it:
// nothing may be left.
func (w *world) detachAndRemove(t *testing.T, all ...*Attachment) {
	t.Helper()
	for _, a := range all {
		if err := w.Detach(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Remove(t.Context(), "default"); err != nil {
		t.Fatal(err)
	}
	w.wantClean(t, "after Remove", []string{"em0", "lo0"})
}
