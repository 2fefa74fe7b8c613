package netsetup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"jailshim/jailctl/kernel"
	"jailshim/netsetup/config"
	"jailshim/netsetup/link"
)

// port of the tests' listeners.
const testPort = 4321

func at(a netip.Addr) string { return netip.AddrPortFrom(a, testPort).String() }

func listenAll(c *agent) {
	for _, network := range []string{"tcp", "udp"} {
		c.must(order{Do: "listen", Network: network, Addr: fmt.Sprintf(":%d", testPort)})
	}
}

func TestLoopback_NewNetwork(t *testing.T) {
	c := newAgent(t, newJail(t))
	for range 2 {
		c.must(order{Do: "run", Calls: link.Loopback()})
	}
	for _, a := range []string{"127.0.0.1:4321", "[::1]:4321"} {
		c.must(order{Do: "listen", Network: "udp", Addr: a})
		if got := c.must(order{Do: "ask", Network: "udp", Addr: a, Wait: patience}); got == "" {
			t.Errorf("%s: no answer", a)
		}
	}
}

// Containers of a network and the host reach each other.
func TestAttach_EverybodyReachesEverybody(t *testing.T) {
	r := newReal(t, "none", "")
	one := r.container(t, Request{Owner: "one", Names: []string{"one"}})
	two := r.container(t, Request{Owner: "two", Names: []string{"two"}})
	here := newAgent(t, 0)
	listenAll(one.agent)
	listenAll(two.agent)
	listenAll(here)
	for _, network := range []string{"tcp", "udp"} {
		for _, v6 := range []bool{false, true} {
			gateway := one.Gateways[0]
			if v6 {
				gateway = one.Gateways[1]
			}
			for _, c := range []struct {
				from     *agent
				to, want netip.Addr
			}{
				{one.agent, two.addr(v6), one.addr(v6)},
				{two.agent, one.addr(v6), two.addr(v6)},
				{here, one.addr(v6), gateway},
				{one.agent, gateway, one.addr(v6)},
				{one.agent, one.addr(v6), one.addr(v6)},
			} {
				got := c.from.must(order{Do: "ask", Network: network, Addr: at(c.to), Wait: patience})
				if got != c.want.String() {
					t.Errorf("%s to %s: seen as %s, want %s", network, c.to, got, c.want)
				}
			}
		}
	}
	if got, want := one.must(order{Do: "interfaces"}), "[eth0 lo0"; !strings.HasPrefix(got, want) {
		t.Errorf("interfaces in the jail %s, want %s", got, want)
	}
	if err := r.Detach(t.Context(), one.Attachment); err != nil {
		t.Fatal(err)
	}
	if got := one.must(order{Do: "interfaces"}); strings.Contains(got, "eth0") {
		t.Errorf("interfaces in the living jail after Detach: %s", got)
	}
}

// What asks for it gets its MAC, MTU, address and interface's name.
func TestAttach_AsRequested(t *testing.T) {
	r := newReal(t, "none", "mtu = 1400\n")
	c := r.container(t, Request{
		Owner: "one", IPv4: netip.MustParseAddr("10.213.0.77"), IPv6: netip.MustParseAddr("fd00:213::77"),
		MAC: []byte{2, 3, 4, 5, 6, 7}, Interface: "net0",
	})
	if got := c.must(order{Do: "interfaces"}); !strings.Contains(got, "net0") {
		t.Errorf("interfaces %s", got)
	}
	// Back on the host, it is as it was in the jail.
	if err := link.Run([]link.Call{link.MoveBack("net0", c.jid)}); err != nil {
		t.Fatal(err)
	}
	list, err := link.List()
	if err != nil {
		t.Fatal(err)
	}
	i := find(list, "net0")
	if i == nil || i.MAC.String() != "02:03:04:05:06:07" || i.MTU != 1400 {
		t.Errorf("%+v", i)
	}
	if err := r.Detach(t.Context(), c.Attachment); err != nil {
		t.Error(err)
	}
	list, err = link.List()
	if err != nil || find(list, "net0") != nil {
		t.Errorf("the end on the host is left, %v", err)
	}
}

func TestAttach_IsolatedFromNeighbours(t *testing.T) {
	r := newReal(t, "none", "isolate = true\n")
	one := r.container(t, Request{Owner: "one"})
	two := r.container(t, Request{Owner: "two"})
	listenAll(two.agent)
	here := newAgent(t, 0)
	for _, v6 := range []bool{false, true} {
		here.must(order{Do: "ask", Network: "tcp", Addr: at(two.addr(v6)), Wait: patience})
		if got, err := one.tell(order{Do: "ask", Network: "tcp", Addr: at(two.addr(v6)), Wait: 1e9}); err == nil {
			t.Errorf("a neighbour answers: %s", got)
		}
	}
}

// Another network is reached through the host.
func TestAttach_RoutesBetweenNetworks(t *testing.T) {
	r := newReal(t, "none", "[networks.far]\nsubnets = [\"10.214.0.0/24\", \"fd00:214::/64\"]\nbridge = \"jt-far\"\nnat = \"none\"\n")
	near := r.container(t, Request{Owner: "near"})
	far := r.container(t, Request{Owner: "far", Network: "far"})
	listenAll(far.agent)
	for _, v6 := range []bool{false, true} {
		got := near.must(order{Do: "ask", Network: "tcp", Addr: at(far.addr(v6)), Wait: patience})
		if got != near.addr(v6).String() {
			t.Errorf("seen as %s, want %s", got, near.addr(v6))
		}
	}
}

// Connections that a container has closed keep its network stack for a minute or two,
// but neither its interface nor its address, and nobody waits for it.
func TestDetach_AfterAThousandConnections(t *testing.T) {
	const connections, bound = 1000, time.Second
	r := newReal(t, "none", "")
	c := r.container(t, Request{Owner: "busy"})
	listenAll(c.agent)
	newAgent(t, 0).must(order{Do: "drain", Addr: at(c.addr(false)), Count: connections})
	j, err := kernel.OpenJailID(c.jid)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	start := time.Now()
	if err := r.Detach(t.Context(), c.Attachment); err != nil {
		t.Fatal(err)
	}
	if err := j.Remove(); err != nil {
		t.Fatal(err)
	}
	took := time.Since(start)
	t.Logf("detached and removed in %v", took)
	if took > bound {
		t.Errorf("detached and removed in %v, want at most %v", took, bound)
	}
	for _, name := range interfaceNames(t) {
		if name == c.HostEnd || strings.HasPrefix(name, "eth") || strings.HasPrefix(name, "epair") {
			t.Errorf("interface %s is left", name)
		}
	}
	again := r.container(t, Request{Owner: "next", IPv4: c.addr(false), IPv6: c.addr(true)})
	listenAll(again.agent)
	newAgent(t, 0).must(order{Do: "ask", Network: "tcp", Addr: at(again.addr(false)), Wait: patience})
}

// lives is how many cycles a test makes: E2E_LIVES, or fewer.
func lives(t *testing.T, otherwise int) int {
	t.Helper()
	text := os.Getenv("E2E_LIVES")
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Many lives leave nothing and get other addresses than those alive.
func TestAttach_ManyCycles(t *testing.T) {
	r := newReal(t, "none", "")
	r.container(t, Request{Owner: "neighbour"})
	jid := newJail(t)
	c := newAgent(t, jid)
	inside := c.must(order{Do: "interfaces"})
	before := interfaceNames(t)
	files := openDescriptors()
	for n := range lives(t, 120) {
		a, err := r.Reserve(t.Context(), Request{Owner: fmt.Sprintf("cycle%d", n), Network: "default"})
		if err != nil {
			t.Fatal(err)
		}
		calls, err := r.Attach(t.Context(), a, jid)
		if err != nil {
			t.Fatal(err)
		}
		c.must(order{Do: "run", Calls: calls})
		if err := r.Detach(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	if after := interfaceNames(t); !slices.Equal(before, after) {
		t.Errorf("interfaces before %v, after %v", before, after)
	}
	if got := c.must(order{Do: "interfaces"}); got != inside {
		t.Errorf("in the jail before %s, after %s", inside, got)
	}
	if n := openDescriptors(); n != files {
		t.Errorf("%d descriptors before, %d after", files, n)
	}
	leases, err := r.leases.List(t.Context(), "")
	if err != nil || len(leases) != 1 {
		t.Errorf("leases %v, %v", leases, err)
	}
}

func openDescriptors() int {
	n := 0
	for fd := range 1024 {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil {
			n++
		}
	}
	return n
}

// An error at each point leaves nothing in the kernel.
func TestFault_RealErrorAtEachPoint(t *testing.T) {
	r := newReal(t, "none", "")
	jid := newJail(t)
	c := newAgent(t, jid)
	inside := c.must(order{Do: "interfaces"})
	for _, point := range Points {
		before := interfaceNames(t)
		r.reached = func(p string) error {
			if p == point {
				return errInjected
			}
			return nil
		}
		w := &world{Manager: r.Manager}
		a, err := w.Reserve(t.Context(), Request{Owner: "web", Network: "default", Names: []string{"web"}})
		if err == nil {
			_, err = w.Attach(t.Context(), a, jid)
		}
		if err == nil {
			err = w.Detach(t.Context(), a)
		}
		if !errors.Is(err, errInjected) && point != pointPorts {
			t.Errorf("%s: %v", point, err)
		}
		r.reached = func(string) error { return nil }
		if a != nil {
			if err := r.Detach(t.Context(), a); err != nil {
				t.Errorf("%s: %v", point, err)
			}
		}
		if _, err := r.Prune(t.Context()); err != nil {
			t.Errorf("%s: %v", point, err)
		}
		if after := interfaceNames(t); !slices.Equal(before, after) {
			t.Errorf("%s: interfaces before %v, after %v", point, before, after)
		}
		if got := c.must(order{Do: "interfaces"}); got != inside {
			t.Errorf("%s: in the jail before %s, after %s", point, inside, got)
		}
		if leases, err := r.leases.List(t.Context(), ""); err != nil || len(leases) != 0 {
			t.Errorf("%s: leases %v, %v", point, leases, err)
		}
	}
}

// stageLife makes and removes an attachment, and is killed at a point. It stores the
// attachment as its caller would.
func stageLife() error {
	point := os.Getenv("NETSETUP_TEST_POINT")
	jid, err := strconv.Atoi(os.Getenv("NETSETUP_TEST_JAIL"))
	if err != nil {
		return err
	}
	m, err := stageManager(func(p string) error {
		if p == point {
			return errors.Join(syscall.Kill(os.Getpid(), syscall.SIGKILL), errors.New("alive"))
		}
		return nil
	})
	if err != nil {
		return err
	}
	ctx, stop := contextWithPatience()
	defer stop()
	a, err := m.Reserve(ctx, Request{Owner: "web", Network: "default", Names: []string{"web"}, Ports: published})
	if err != nil {
		// A network without translation publishes nothing.
		if a, err = m.Reserve(ctx, Request{Owner: "web", Network: "default", Names: []string{"web"}}); err != nil {
			return err
		}
	}
	b, err := json.Marshal(a)
	if err != nil {
		return err
	}
	if err := os.WriteFile(os.Getenv("NETSETUP_TEST_FILE"), b, 0o600); err != nil {
		return err
	}
	if _, err := m.Attach(ctx, a, jid); err != nil {
		return err
	}
	return m.Detach(ctx, a)
}

// killAt has a process killed at a point, and cleans up after it: by Detach if the
// process stored the attachment, and by GC.
func (r *real) killAt(t *testing.T, point string, jid int, detach bool) {
	t.Helper()
	before := interfaceNames(t)
	file := filepath.Join(t.TempDir(), "attachment")
	cmd := r.stage(t, "life", "NETSETUP_TEST_POINT="+point, fmt.Sprintf("NETSETUP_TEST_JAIL=%d", jid), "NETSETUP_TEST_FILE="+file)
	if err := cmd.Run(); err == nil || cmd.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("%s: %v, want it killed", point, err)
	}
	if b, err := os.ReadFile(file); err == nil && detach {
		var a Attachment
		if err := json.Unmarshal(b, &a); err != nil {
			t.Fatal(err)
		}
		if err := r.Detach(t.Context(), &a); err != nil {
			t.Errorf("%s: %v", point, err)
		}
	}
	if left, err := r.GC(t.Context(), func(string) bool { return false }); err != nil {
		t.Errorf("%s: GC: %v, %v", point, left, err)
	}
	if _, err := r.Prune(t.Context()); err != nil {
		t.Errorf("%s: %v", point, err)
	}
	if after := interfaceNames(t); !slices.Equal(before, after) {
		t.Errorf("%s: interfaces before %v, after %v", point, before, after)
	}
}

// SIGKILL at each point: Detach, or GC, finds all.
func TestFault_RealKillAtEachPoint(t *testing.T) {
	r := newReal(t, "none", "")
	jid := newJail(t)
	c := newAgent(t, jid)
	inside := c.must(order{Do: "interfaces"})
	for n, point := range Points {
		if point == pointPorts {
			continue // nothing is published here
		}
		r.killAt(t, point, jid, n%2 == 0)
		if got := c.must(order{Do: "interfaces"}); got != inside {
			t.Errorf("%s: in the jail before %s, after %s", point, inside, got)
		}
	}
}

// stageReserve reserves as many as it is told, and prints their addresses.
func stageReserve() error {
	n, err := strconv.Atoi(os.Getenv("NETSETUP_TEST_COUNT"))
	if err != nil {
		return err
	}
	m, err := stageManager(func(string) error { return nil })
	if err != nil {
		return err
	}
	ctx, stop := contextWithPatience()
	defer stop()
	for i := range n {
		a, err := m.Reserve(ctx, Request{Owner: fmt.Sprintf("p%d-%d", os.Getpid(), i), Network: "default"})
		if err != nil {
			return err
		}
		fmt.Println(a.Addrs)
	}
	return nil
}

// Processes that start at once get different addresses.
func TestReserve_ConcurrentProcesses(t *testing.T) {
	r := newReal(t, "none", "")
	const processes, each = 20, 10
	type result struct {
		out []byte
		err error
	}
	results := make(chan result, processes)
	for range processes {
		cmd := r.stage(t, "reserve", fmt.Sprintf("NETSETUP_TEST_COUNT=%d", each))
		// goroutine: of the test, which waits for its result
		go func() {
			out, err := cmd.Output()
			results <- result{out, err}
		}()
	}
	seen := map[string]bool{}
	for range processes {
		got := <-results
		if got.err != nil {
			t.Error(got.err)
		}
		for _, a := range strings.Fields(strings.NewReplacer("[", "", "]", "").Replace(string(got.out))) {
			if seen[a] {
				t.Errorf("%s was given twice", a)
			}
			seen[a] = true
		}
	}
	if want := 2 * processes * each; len(seen) != want {
		t.Errorf("%d addresses, want %d", len(seen), want)
	}
}

// stageLives makes and removes attachments one after another.
func stageLives() error {
	jid, err := strconv.Atoi(os.Getenv("NETSETUP_TEST_JAIL"))
	if err != nil {
		return err
	}
	m, err := stageManager(func(string) error { return nil })
	if err != nil {
		return err
	}
	for i := range 5 {
		ctx, stop := context.WithTimeout(context.Background(), 4*patience)
		defer stop()
		a, err := m.Reserve(ctx, Request{Owner: fmt.Sprintf("p%d-%d", os.Getpid(), i), Network: "default"})
		if err != nil {
			return err
		}
		if _, err := m.Attach(ctx, a, jid); err != nil {
			return err
		}
		list, err := link.List()
		if err != nil {
			return err
		}
		if find(list, a.HostEnd) == nil {
			return fmt.Errorf("%s is gone while its container lives", a.HostEnd)
		}
		if err := m.Detach(ctx, a); err != nil {
			return err
		}
	}
	return nil
}

// Processes that attach and detach at once, while another collects garbage, don't
// disturb each other.
func TestConcurrent_LivesAndGC(t *testing.T) {
	r := newReal(t, "none", "")
	jid := newJail(t)
	c := newAgent(t, jid)
	inside := c.must(order{Do: "interfaces"})
	const processes = 12
	results := make(chan error, processes)
	for range processes {
		cmd := r.stage(t, "lives", fmt.Sprintf("NETSETUP_TEST_JAIL=%d", jid))
		// goroutine: of the test, which waits for its result
		go func() { results <- cmd.Run() }()
	}
	for ended := 0; ended < processes; {
		select {
		case err := <-results:
			ended++
			if err != nil {
				t.Error(err)
			}
		default:
			if left, err := r.GC(t.Context(), func(string) bool { return true }); err != nil || len(left) != 0 {
				t.Fatalf("GC removed %v, %v", left, err)
			}
		}
	}
	leases, err := r.leases.List(t.Context(), "")
	if err != nil || len(leases) != 0 {
		t.Errorf("leases %v, %v", leases, err)
	}
	if got := c.must(order{Do: "interfaces"}); got != inside {
		t.Errorf("in the jail before %s, after %s", inside, got)
	}
}

func TestMove_RealThereAndBack(t *testing.T) {
	r := newReal(t, "none", "")
	const unit = 9321
	name := fmt.Sprintf("epair%db", unit)
	if err := kernel.LoadModule("if_epair"); err != nil {
		t.Fatal(err)
	}
	if err := link.Run([]link.Call{link.Create("epair", unit)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := link.Run([]link.Call{link.Destroy(fmt.Sprintf("epair%da", unit))}); err != nil {
			t.Error(err)
		}
	})
	lent, err := r.Lend([]string{name})
	if err != nil {
		t.Fatal(err)
	}
	jid := newJail(t)
	for range 2 {
		if err := r.MoveIn(t.Context(), jid, lent); err != nil {
			t.Fatal(err)
		}
	}
	c := newAgent(t, jid)
	if got := c.must(order{Do: "interfaces"}); !strings.Contains(got, name) {
		t.Fatalf("in the jail: %s", got)
	}
	for range 2 {
		if away, err := r.MoveBack(t.Context(), jid, lent); err != nil || len(away) != 0 {
			t.Fatalf("away %v, %v", away, err)
		}
	}
	// Renamed in the jail: it comes back with the jail's end, and gets its name then.
	if err := r.MoveIn(t.Context(), jid, lent); err != nil {
		t.Fatal(err)
	}
	c.must(order{Do: "run", Calls: []link.Call{link.Rename(name, "renamed")}})
	if away, err := r.MoveBack(t.Context(), jid, lent); err != nil || len(away) != 1 {
		t.Fatalf("away %v, %v, want it", away, err)
	}
	c.end()
	if err := (kernel.JailFromFile(nil, jid)).Remove(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the interface is back", func() bool {
		away, err := r.MoveBack(t.Context(), 0, lent)
		return err == nil && len(away) == 0
	})
	list, err := link.List()
	if err != nil || find(list, name) == nil {
		t.Errorf("it has not got its name back: %v, %v", list, err)
	}
}

func TestAlias_Real(t *testing.T) {
	r := newReal(t, "none", "")
	list, err := link.List()
	if err != nil {
		t.Fatal(err)
	}
	before := find(list, "lo0").Addrs
	ips := addrs("10.213.7.7", "fd00:213:7::7", "127.0.0.1")
	for _, owner := range []string{"a", "b"} {
		if err := r.Alias(t.Context(), owner, "lo0", ips); err != nil {
			t.Fatal(err)
		}
	}
	for _, owner := range []string{"a", "b", "b"} {
		list, err := link.List()
		if err != nil {
			t.Fatal(err)
		}
		if got := find(list, "lo0"); owner != "b" && (!got.Has(ips[0]) || !got.Has(ips[1])) {
			t.Errorf("addresses %v", got.Addrs)
		}
		if err := r.Unalias(t.Context(), owner); err != nil {
			t.Error(err)
		}
	}
	list, err = link.List()
	if err != nil {
		t.Fatal(err)
	}
	if got := find(list, "lo0").Addrs; !slices.Equal(got, before) {
		t.Errorf("before %v, after %v", before, got)
	}
}

// A network that overlaps with what the host has is refused, on the real host.
func TestReserve_RealOverlap(t *testing.T) {
	list, err := link.List()
	if err != nil {
		t.Fatal(err)
	}
	var theirs netip.Prefix
	for _, i := range list {
		for _, p := range i.Addrs {
			if p.Addr().Is4() && p.Bits() <= 30 && !p.Addr().IsLoopback() {
				theirs = p.Masked()
			}
		}
	}
	if !theirs.IsValid() {
		theirs = netip.MustParsePrefix("127.0.0.0/8")
	}
	r := newReal(t, "none", fmt.Sprintf("[networks.clash]\nsubnets = [%q]\nbridge = \"jt-clash\"\nnat = \"none\"\n", theirs))
	if _, err := r.Reserve(t.Context(), Request{Owner: "x", Network: "clash"}); err == nil {
		t.Error("no error")
	}
	if n, err := r.Inspect(t.Context(), "clash"); err != nil || n.Exists || n.NAT != config.NATNone {
		t.Errorf("%+v, %v", n, err)
	}
}
