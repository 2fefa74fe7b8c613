package e2e

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/containerd/containerd/v2/pkg/oci"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"

	"jailshim/jailctl/kernel"
	"jailshim/netsetup"
	"jailshim/netsetup/firewall/pf/pftest"
	"jailshim/test/e2e/testbed"
)

// onNetwork puts a container on a network, as --with-ns network:NAME of ctr and --net
// ns:NAME of nerdctl do.
func onNetwork(name string) testbed.ProcessOption {
	return testbed.Spec(oci.WithLinuxNamespace(specs.LinuxNamespace{Type: specs.NetworkNamespace, Path: name}))
}

// networks opens the machine's networks, with a firewall for them.
func networks(t *testing.T) *netsetup.Manager {
	t.Helper()
	testbed.Require(t, testbed.Root, testbed.OurShim)
	enablePF(t)
	m, err := netsetup.Open(netsetup.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// ethernet is the line of a container's eth0 in what "ifs" prints.
var ethernet = regexp.MustCompile(`(?m)^eth0 (\S+) \[(.*)\]$`)

// addresses returns the IPv4 and the IPv6 address of a container.
func addresses(t *testing.T, printed string) (v4, v6 netip.Addr) {
	t.Helper()
	found := ethernet.FindStringSubmatch(printed)
	if found == nil {
		t.Fatalf("there is no eth0 in %q", printed)
	}
	for _, word := range strings.Fields(found[2]) {
		p, err := netip.ParsePrefix(word)
		switch {
		case err != nil:
			t.Fatalf("%q in %q: %v", word, printed, err)
		case p.Addr().Is4():
			v4 = p.Addr()
		case !p.Addr().IsLinkLocalUnicast():
			v6 = p.Addr()
		}
	}
	if !v4.IsValid() || !v6.IsValid() {
		t.Fatalf("eth0 has not both an IPv4 and an IPv6 address: %q", printed)
	}
	return v4, v6
}

// server runs a container on the network that serves on port 80.
func server(t *testing.T, s *testbed.Space, opts ...testbed.ProcessOption) (c *testbed.Container, v4, v6 netip.Addr) {
	t.Helper()
	c = s.Run(t, append([]testbed.ProcessOption{onNetwork("default"), testbed.Args("serve", "80", "served")}, opts...)...)
	c.Out.Await(t, "ready\n")
	v4, v6 = addresses(t, c.RunExec(t, "ifs", "ifs"))
	return c, v4, v6
}

// ask is what a process of the host gets as an answer.
func ask(t *testing.T, s *testbed.Space, network, address string) string {
	t.Helper()
	out, err := exec.Command(s.Daemon.Guest(), "ask", network, address).CombinedOutput()
	if err != nil {
		return fmt.Sprintf("%v: %s", err, out)
	}
	return string(out)
}

// Containers of a network reach each other, by address and by each of their names, and
// the host, and the host them, with both families, TCP and UDP.
func TestE2E_Network_Named_AllReachEachOther(t *testing.T) {
	s := space(t)
	m := networks(t)
	c, v4, v6 := server(t, s, testbed.ID("server"))
	client := s.Run(t, testbed.ID("client"), onNetwork("default"))
	client4, client6 := addresses(t, client.RunExec(t, "ifs", "ifs"))
	n := 0
	for _, protocol := range []string{"tcp", "udp"} {
		for _, test := range []struct{ host, peer string }{
			{v4.String(), client4.String()}, {v6.String(), client6.String()},
			{c.ID(), ""},
		} {
			n++
			got := client.RunExec(t, fmt.Sprint("ask", n), "ask", protocol, net.JoinHostPort(test.host, "80"))
			if !strings.HasPrefix(got, "served to "+test.peer) {
				t.Errorf("from container to container, %s %s: %q", protocol, test.host, got)
			}
		}
		for _, host := range []string{v4.String(), v6.String()} {
			if got := ask(t, s, protocol, net.JoinHostPort(host, "80")); !strings.HasPrefix(got, "served to ") {
				t.Errorf("from the host, %s %s: %q", protocol, host, got)
			}
		}
	}
	hosts := client.RunExec(t, "hosts", "cat", "/etc/hosts")
	for _, want := range []string{"127.0.0.1\tlocalhost", v4.String() + "\tserver", v6.String() + "\tserver", client4.String() + "\tclient"} {
		if !strings.Contains(hosts, want) {
			t.Errorf("/etc/hosts lacks %q:\n%s", want, hosts)
		}
	}
	client.RunExec(t, "resolver", "cat", "/etc/resolv.conf")
	inspected, err := m.Inspect(t.Context(), "default")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(inspected.Members, func(m netsetup.Member) bool {
		return slices.Contains(m.Addrs, v4) && m.Attached && slices.Contains(m.Names, "server")
	}) {
		t.Errorf("the network does not tell of the container: %+v", inspected.Members)
	}
	c.Remove(t)
	if hosts := client.RunExec(t, "hosts-later", "cat", "/etc/hosts"); strings.Contains(hosts, "server") {
		t.Errorf("/etc/hosts still names a container that is gone:\n%s", hosts)
	}
	client.Remove(t)
	s.ExpectClean(t)
}

// pf is enabled with the hooks that the tests need, while one of them runs.
var pf struct {
	mu    sync.Mutex
	users int
	stop  func() error
}

const pfConf = `nat-anchor "jailshim/*"
rdr-anchor "jailshim/*"
anchor "jailshim/*"
pass
`

// enablePF enables pf for the test, unless the machine's own runs: then it has to have
// the hooks.
func enablePF(t *testing.T) {
	t.Helper()
	pf.mu.Lock()
	defer pf.mu.Unlock()
	pf.users++
	if pf.users > 1 {
		t.Cleanup(disablePF)
		return
	}
	if out, err := exec.Command("pfctl", "-s", "info").Output(); err == nil && strings.Contains(string(out), "Status: Enabled") {
		pf.users = math.MaxInt / 2 // the machine's own, which stays
		return
	}
	stop, err := pftest.Start(pfConf)
	if err != nil {
		t.Fatal(err)
	}
	pf.stop = stop
	t.Cleanup(disablePF)
}

func disablePF() {
	pf.mu.Lock()
	defer pf.mu.Unlock()
	if pf.users--; pf.users == 0 {
		// What else could be done about an error? The next test would tell.
		_ = pf.stop()
	}
}

// "ctr run --with-ns network:default …" and "nerdctl run --net ns:default -p 8080:80 …",
// as users type them, on unpatched clients; the published port answers to the host and
// to other containers.
func TestE2E_Network_Clients_PublishedPortsAnswer(t *testing.T) {
	s := space(t)
	m := networks(t)
	ctr := ctrRun(t, s, "--rm", "--with-ns", "network:default", testbed.ImageName, "c1", "ifs")
	addresses(t, run(t, ctr))

	nerdctlNamed := func(name string, args ...string) []string {
		return slices.Concat([]string{"run", "-d", "--name", name, "--net", "ns:default", "--pull", "never", "--runtime", testbed.Runtime}, args)
	}
	run(t, nerdctl(t, s, nerdctlNamed("web", "-p", "18080:80", testbed.ImageName, "serve", "80", "web")...))
	run(t, nerdctl(t, s, nerdctlNamed("client", testbed.ImageName, "hold")...))
	from := func(args ...string) string {
		return run(t, nerdctl(t, s, append([]string{"exec", "client"}, args...)...))
	}
	v4, _ := addresses(t, run(t, nerdctl(t, s, "exec", "web", "ifs")))
	testbed.Until(t, "the server", func() error {
		if got := ask(t, s, "tcp", net.JoinHostPort(v4.String(), "80")); !strings.HasPrefix(got, "web to ") {
			return errors.New(got)
		}
		return nil
	})
	network, err := m.Inspect(t.Context(), "default")
	if err != nil {
		t.Fatal(err)
	}
	gateway4, gateway6 := network.IPv4.Gateway, network.IPv6.Gateway
	for _, gw := range []netip.Addr{gateway4, gateway6} {
		at := net.JoinHostPort(gw.String(), "18080")
		if got := ask(t, s, "tcp", at); !strings.HasPrefix(got, "web to ") {
			t.Errorf("from the host, published at %s: %q", at, got)
		}
		if got := from("ask", "tcp", at); !strings.HasPrefix(got, "web to ") {
			t.Errorf("from a container of the network, published at %s: %q", at, got)
		}
	}
	if got := from("ask", "tcp", "web:80"); !strings.HasPrefix(got, "web to ") {
		t.Errorf("by its container's name: %q", got)
	}
	// The port is taken.
	again := s.New(t, onNetwork("default"), testbed.Annotate("io.containerd.jail.ports", "18080:80"))
	err = again.TryCreate()
	expectNames(t, "a port that is another container's", err, "18080")
	expectClass(t, "a port that is another container's", err, errdefs.ErrAlreadyExists)
	again.Forget(t)
	run(t, nerdctl(t, s, "rm", "-f", "web", "client"))
	s.ExpectClean(t)
	taken := s.Run(t, onNetwork("default"), testbed.Annotate("io.containerd.jail.ports", "18080:80/udp"), testbed.Args("serve", "80", "udp"))
	taken.Out.Await(t, "ready\n")
	if got := ask(t, s, "udp", net.JoinHostPort(gateway4.String(), "18080")); !strings.HasPrefix(got, "udp to ") {
		t.Errorf("from the host, published udp: %q", got)
	}
	taken.Remove(t)
	s.ExpectClean(t)
}

func TestE2E_Network_BadInput_RefusedByNameAndClean(t *testing.T) {
	s := space(t)
	networks(t)
	for _, test := range []struct {
		name, network, key, value, names string
	}{
		{"unknown network", "nosuchnet", "", "", "nosuchnet"},
		{"malformed ports", "default", "io.containerd.jail.ports", "eighty", "eighty"},
		{"address outside", "default", "io.containerd.jail.addresses", "192.0.2.7", "192.0.2.7"},
		{"gateway's address", "default", "io.containerd.jail.addresses", "10.88.0.1", "10.88.0.1"},
		{"malformed MAC", "default", "io.containerd.jail.mac", "01:02", "01:02"},
		{"ports without a network", "", "io.containerd.jail.ports", "8080:80", "io.containerd.jail.network"},
	} {
		opts := []testbed.ProcessOption{onNetwork(test.network)}
		if test.key != "" {
			opts = append(opts, testbed.Annotate(test.key, test.value))
		}
		c := s.New(t, opts...)
		err := c.TryCreate()
		expectNames(t, test.name, err, test.names)
		c.Forget(t)
		s.ExpectClean(t)
	}
}

// Static addresses are had as asked for, and not twice.
func TestE2E_Network_StaticAddress_OnceOnly(t *testing.T) {
	s := space(t)
	networks(t)
	static := testbed.Annotate("io.containerd.jail.addresses", "10.88.77.5,fd00:88::77:5")
	c, v4, v6 := server(t, s, static, testbed.Annotate("io.containerd.jail.mac", "02:00:5e:00:77:05"))
	if v4.String() != "10.88.77.5" || v6.String() != "fd00:88::77:5" {
		t.Errorf("addresses %s and %s", v4, v6)
	}
	if printed := c.RunExec(t, "mac", "ifs"); !strings.Contains(printed, "eth0 02:00:5e:00:77:05 ") {
		t.Errorf("the MAC is not that asked for: %q", printed)
	}
	second := s.New(t, onNetwork("default"), static)
	err := second.TryCreate()
	expectNames(t, "the same address twice", err, "10.88.77.5")
	expectClass(t, "the same address twice", err, errdefs.ErrAlreadyExists)
	second.Forget(t)
	c.Remove(t)
	s.ExpectClean(t)
}

// A server that has closed many connections: the kernel keeps the jail until they have
// timed out, and nothing of the container may wait for that.
func TestE2E_Network_ThousandClosedConnections_DeletedAtOnce(t *testing.T) {
	s := space(t)
	m := networks(t)
	idle, _, _ := server(t, s)
	start := time.Now()
	idle.Remove(t)
	usual := time.Since(start)
	c, v4, _ := server(t, s)
	at := net.JoinHostPort(v4.String(), "80")
	for i := range 1000 {
		conn, err := net.DialTimeout("tcp", at, testbed.Patience)
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		b := make([]byte, 64)
		if _, err := conn.Read(b); err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		conn.Close()
	}
	start = time.Now()
	c.Remove(t)
	took := time.Since(start)
	t.Logf("killed and deleted within %v, and one without connections within %v", took, usual)
	n, err := m.Inspect(t.Context(), "default")
	if err != nil {
		t.Fatal(err)
	}
	if slices.ContainsFunc(n.Members, func(m netsetup.Member) bool { return slices.Contains(m.Addrs, v4) }) {
		t.Errorf("address %s is not free", v4)
	}
	mounts, err := kernel.Mounts()
	if err != nil {
		t.Fatal(err)
	}
	for _, mount := range mounts {
		if strings.HasPrefix(mount.On, s.Bundle(c.ID())+"/") {
			t.Errorf("%s is still mounted", mount.On)
		}
	}
	if took > usual+time.Second {
		t.Errorf("to kill and delete it took %v, and %v without connections", took, usual)
	}
}

// victim is a container that passes all points of networks.
func victim(t *testing.T, s *testbed.Space) *testbed.Container {
	t.Helper()
	return s.New(t, testbed.ID("victim"), onNetwork("default"), testbed.Annotate("io.containerd.jail.ports", "18090:80"))
}

// Each step of networks fails, or is the shim's last.
func TestE2E_Network_Fault_EachPoint_NothingLeft(t *testing.T) {
	m := networks(t)
	if !testbed.RunsJails(t) {
		return // an OCI command passes the points, in which nothing is injected
	}
	shimDir := buildFaultShim(t)
	for _, action := range []string{"error", "kill"} {
		faults := filepath.Join(t.TempDir(), "faults")
		d := testbed.NewDaemon(t, testbed.WithShimDir(shimDir), testbed.WithEnv("JAILSHIM_FAULTS="+faults))
		for _, point := range netsetup.Points {
			t.Run(action+"/"+point, func(t *testing.T) {
				// So that it is made, if nobody else is on it.
				if err := m.Remove(t.Context(), "default"); err != nil {
					t.Fatal(err)
				}
				s := d.NewSpace(t)
				s.AnyEvents = action == "kill"
				if err := os.WriteFile(faults, []byte(point+"="+action+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
				err := wholeLife(s, victim(t, s))
				if err == nil {
					t.Error("the fault had no effect: no step of a container's life failed")
				}
				if err := os.WriteFile(faults, nil, 0o644); err != nil {
					t.Fatal(err)
				}
				s.RemoveAll(t)
				s.ExpectClean(t)
				if err := wholeLife(s, victim(t, s)); err != nil {
					t.Errorf("the same again without the fault: %v", err)
				}
				s.ExpectClean(t)
				left, err := m.GC(context.WithoutCancel(t.Context()), func(string) bool { return true })
				if err != nil || len(left) > 0 {
					t.Errorf("GC found %v (%v)", left, err)
				}
			})
		}
	}
}
