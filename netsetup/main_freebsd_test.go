package netsetup

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"jailshim/internal/need"
	"jailshim/jailctl/kernel"
	"jailshim/netsetup/firewall"
	"jailshim/netsetup/link"
)

// The tests of this folder that are for FreeBSD make jails, named jt-netsetup-PID-…,
// bridges and epairs on the machine they run on, and remove them.

// stageVar names what a copy of the test binary does instead of running tests.
const stageVar = "NETSETUP_TEST_STAGE"

var stages = map[string]func() error{
	"agent":   stageAgent,
	"life":    stageLife,
	"lives":   stageLives,
	"reserve": stageReserve,
}

func TestMain(m *testing.M) {
	name := os.Getenv(stageVar)
	if name == "" {
		os.Exit(m.Run())
	}
	if err := stages[name](); err != nil {
		fmt.Fprintln(os.Stderr, name+":", err)
		os.Exit(1)
	}
}

// patience bounds each wait for something that comes.
const patience = 30 * time.Second

func contextWithPatience() (context.Context, func()) {
	return context.WithTimeout(context.Background(), patience)
}

// eventually waits until something holds.
func eventually(tb testing.TB, what string, holds func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatalf("gave up waiting until %s", what)
		}
	}
}

// order is what an agent in a jail does, one a line.
type order struct {
	Do      string      // run, listen, ask, drain, interfaces
	Calls   []link.Call `json:",omitempty"` // run
	Network string      // tcp, udp
	Addr    string
	Wait    time.Duration // ask: how long for an answer
	Count   int           // drain: how many connections
}

// answer is what came of it.
type answer struct {
	Text string
	Err  string
}

// stageAgent attaches to a jail and does what it is told until its input ends.
func stageAgent() error {
	if text := os.Getenv("NETSETUP_TEST_JID"); text != "" {
		jid, err := strconv.Atoi(text)
		if err != nil {
			return err
		}
		if err := kernel.JailFromFile(nil, jid).Attach(); err != nil {
			return err
		}
	}
	in := bufio.NewReader(os.Stdin)
	for {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		var o order
		if err == nil {
			err = json.Unmarshal(line, &o)
		}
		if err != nil {
			return err
		}
		var a answer
		if a.Text, err = o.obey(); err != nil {
			a.Err = err.Error()
		}
		if err := json.NewEncoder(os.Stdout).Encode(a); err != nil {
			return err
		}
	}
}

func (o *order) obey() (string, error) {
	switch o.Do {
	case "run":
		return "", link.Run(o.Calls)
	case "listen":
		return listen(o.Network, o.Addr)
	case "ask":
		return ask(o.Network, o.Addr, o.Wait)
	case "drain":
		return "", drain(o.Addr, o.Count)
	case "interfaces":
		list, err := link.List()
		var names []string
		for _, i := range list {
			names = append(names, i.Name)
		}
		slices.Sort(names)
		return fmt.Sprint(names), err
	}
	return "", fmt.Errorf("unknown order %q", o.Do)
}

// listen answers everybody with the address that it sees, until the process ends.
func listen(network, addr string) (string, error) {
	if network == "udp" {
		c, err := net.ListenPacket("udp", addr)
		if err != nil {
			return "", err
		}
		// goroutine: of the agent; ends with the process
		go func() {
			b := make([]byte, 64)
			for {
				_, from, err := c.ReadFrom(b)
				if err != nil {
					return
				}
				c.WriteTo([]byte(host(from)), from)
			}
		}()
		return c.LocalAddr().String(), nil
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return "", err
	}
	// goroutine: of the agent; ends with the process
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			io.WriteString(c, host(c.RemoteAddr()))
			c.Close()
		}
	}()
	return l.Addr().String(), nil
}

func host(a net.Addr) string { return netip.MustParseAddrPort(a.String()).Addr().Unmap().String() }

// ask returns what a listener says.
func ask(network, addr string, wait time.Duration) (string, error) {
	var last error
	for deadline := time.Now().Add(wait); time.Now().Before(deadline); {
		c, err := net.DialTimeout(network, addr, wait)
		if err != nil {
			last = err
			continue
		}
		if t, ok := c.(*net.TCPConn); ok {
			t.SetLinger(0) // a closed connection would keep the jail for a minute
		}
		// A datagram may be lost while the neighbour's address is looked for.
		c.SetDeadline(time.Now().Add(min(wait, 3*time.Second)))
		if _, err = io.WriteString(c, "x"); err == nil {
			b := make([]byte, 64)
			var n int
			if n, err = c.Read(b); err == nil {
				c.Close()
				return string(b[:n]), nil
			}
		}
		c.Close()
		last = err
	}
	return "", last
}

// drain makes connections one by one, each until the listener has closed it. The
// listener's side is left to wait for late segments then (TIME_WAIT).
func drain(addr string, count int) error {
	for range count {
		c, err := net.DialTimeout("tcp", addr, patience)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, c)
		if err = errors.Join(err, c.Close()); err != nil {
			return err
		}
	}
	return nil
}

// agent is a process in a jail, or with none on the host.
type agent struct {
	t   testing.TB
	in  io.WriteCloser
	out *bufio.Reader
	cmd *exec.Cmd
}

func newAgent(tb testing.TB, jid int) *agent {
	tb.Helper()
	cmd := testBinary(tb, "agent")
	if jid != 0 {
		cmd.Env = append(cmd.Env, fmt.Sprintf("NETSETUP_TEST_JID=%d", jid))
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	a := &agent{t: tb, in: in, out: bufio.NewReader(out), cmd: cmd}
	tb.Cleanup(a.end)
	return a
}

// end ends the agent. A second call does nothing.
func (a *agent) end() {
	if a.cmd.ProcessState != nil {
		return
	}
	a.in.Close()
	a.cmd.Process.Kill()
	a.cmd.Wait()
}

// tell gives an order and returns the answer.
func (a *agent) tell(o order) (string, error) {
	a.t.Helper()
	if err := json.NewEncoder(a.in).Encode(o); err != nil {
		a.t.Fatal(err)
	}
	line, err := a.out.ReadBytes('\n')
	var got answer
	if err == nil {
		err = json.Unmarshal(line, &got)
	}
	if err != nil {
		a.t.Fatalf("agent: %v", err)
	}
	if got.Err != "" {
		return got.Text, errors.New(got.Err)
	}
	return got.Text, nil
}

// must gives an order that must succeed.
func (a *agent) must(o order) string {
	a.t.Helper()
	text, err := a.tell(o)
	if err != nil {
		a.t.Fatalf("%s %s %s: %v", o.Do, o.Network, o.Addr, err)
	}
	return text
}

// testBinary is a command that runs a stage.
func testBinary(tb testing.TB, stage string) *exec.Cmd {
	tb.Helper()
	self, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = []string{stageVar + "=" + stage}
	cmd.Stderr = os.Stderr
	return cmd
}

var jails int

// newJail makes a jail with a network stack of its own, and removes it at the end of
// the test.
func newJail(tb testing.TB) int {
	tb.Helper()
	need.Root(tb)
	jails++
	j, err := kernel.CreateJail([]kernel.Param{
		kernel.String("name", fmt.Sprintf("jt-netsetup-%d-%d", os.Getpid(), jails)),
		kernel.String("path", "/"),
		kernel.Bool("persist", true),
		kernel.Int("vnet", kernel.New),
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := j.Remove(); err != nil && !errors.Is(err, os.ErrNotExist) {
			tb.Error(err)
		}
		j.Close()
	})
	return j.ID
}

// real is a Manager on the running kernel.
type real struct {
	*Manager
	options Options
}

// testSubnets and testBridge are the tests' own: the machine may have containers.
const (
	testSubnets = `["10.213.0.0/23", "fd00:213::/64"]`
	testBridge  = "jt-net"
)

// newReal opens a Manager with the network "default" on the tests' bridge, and more.
func newReal(tb testing.TB, nat, more string) *real {
	tb.Helper()
	need.Root(tb)
	dir := tb.TempDir()
	file := filepath.Join(dir, "jailshim.toml")
	text := fmt.Sprintf("[networks.default]\nsubnets = %s\nbridge = %q\nnat = %q\n%s", testSubnets, testBridge, nat, more)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
	o := Options{
		Config: file, StateDir: filepath.Join(dir, "db"), RunDir: filepath.Join(dir, "run"), Prefix: "jt",
		Resolver: filepath.Join(dir, "none"),
	}
	m, err := Open(o)
	if err != nil {
		tb.Fatal(err)
	}
	r := &real{Manager: m, options: o}
	before := interfaceNames(tb)
	tb.Cleanup(func() {
		ctx, stop := contextWithPatience()
		defer stop()
		_, gcErr := r.GC(ctx, func(string) bool { return false })
		_, pruneErr := r.Prune(ctx)
		if err := errors.Join(gcErr, pruneErr); err != nil {
			tb.Error(err)
		}
		if after := interfaceNames(tb); !slices.Equal(after, before) {
			tb.Errorf("interfaces before the test %v, after it %v", before, after)
		}
	})
	return r
}

// stageManager opens the Manager of the test that started the stage.
func stageManager(at reached) (*Manager, error) {
	var o Options
	if err := json.Unmarshal([]byte(os.Getenv("NETSETUP_TEST_OPTIONS")), &o); err != nil {
		return nil, err
	}
	return open(o, running{}, at, firewall.Select)
}

func (r *real) stage(t *testing.T, name string, env ...string) *exec.Cmd {
	t.Helper()
	b, err := json.Marshal(r.options)
	if err != nil {
		t.Fatal(err)
	}
	cmd := testBinary(t, name)
	cmd.Env = append(append(cmd.Env, "NETSETUP_TEST_OPTIONS="+string(b)), env...)
	return cmd
}

// interfaceNames returns the host's interfaces that can be the tests': those with their
// names, with one that they give in a jail, and those without a name.
func interfaceNames(tb testing.TB) []string {
	tb.Helper()
	list, err := link.List()
	if err != nil {
		tb.Fatal(err)
	}
	var names []string
	for _, i := range list {
		named := strings.HasPrefix(i.Name, "jt") || strings.HasPrefix(i.Name, "eth") || strings.HasPrefix(i.Name, "net")
		if named || isFresh(&i) {
			names = append(names, i.Name)
		}
	}
	return names
}

// container is a jail on a network, with a process in it.
type container struct {
	*agent
	*Attachment
	jid int
}

func (r *real) container(tb testing.TB, req Request) *container {
	tb.Helper()
	jid := newJail(tb)
	if req.Network == "" {
		req.Network = "default"
	}
	a, err := r.Reserve(tb.Context(), req)
	if err != nil {
		tb.Fatal(err)
	}
	calls, err := r.Attach(tb.Context(), a, jid)
	if err != nil {
		tb.Fatal(err)
	}
	c := &container{agent: newAgent(tb, jid), Attachment: a, jid: jid}
	c.must(order{Do: "run", Calls: append(link.Loopback(), calls...)})
	return c
}

// addr returns the container's address of a family.
func (c *container) addr(v6 bool) netip.Addr {
	for _, p := range c.Addrs {
		if p.Addr().Is6() == v6 {
			return p.Addr()
		}
	}
	c.t.Fatal("the container has no such address")
	return netip.Addr{}
}
