package firewall

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"jailshim/internal/need"
	"jailshim/jailctl/kernel"
)

// These tests make jails, interfaces, and rules of pf and ipfw on the machine they run
// on, and remove them. They enable pf and load ipfw if need be, and undo that.

// stageVar names what a copy of the test binary does in a jail, or on the host with
// the jid 0.
const (
	stageVar = "FIREWALL_TEST_STAGE"
	jidVar   = "FIREWALL_TEST_JID"
	argVar   = "FIREWALL_TEST_ARG"
)

func TestMain(m *testing.M) {
	name := os.Getenv(stageVar)
	if name == "" {
		os.Exit(m.Run())
	}
	if err := stage(name); err != nil {
		fmt.Fprintln(os.Stderr, name+":", err)
		os.Exit(1)
	}
}

func stage(name string) error {
	jid, err := strconv.Atoi(os.Getenv(jidVar))
	if err != nil {
		return err
	}
	if jid != 0 {
		if err := kernel.JailFromFile(nil, jid).Attach(); err != nil {
			return err
		}
	}
	if name == "serve" {
		return serve(os.Getenv(argVar))
	}
	for _, target := range strings.Fields(os.Getenv(argVar)) {
		fmt.Println(target, dial(target))
	}
	return nil
}

// serve answers each connection and each datagram at some ports with a name and the
// address that it sees, until its standard input ends.
func serve(arg string) error {
	words := strings.Fields(arg)
	for _, port := range words[1:] {
		l, err := net.Listen("tcp", ":"+port)
		if err != nil {
			return err
		}
		go func() {
			for c, err := l.Accept(); err == nil; c, err = l.Accept() {
				fmt.Fprint(c, words[0], " ", c.RemoteAddr())
				c.Close()
			}
		}()
		u, err := net.ListenPacket("udp", ":"+port)
		if err != nil {
			return err
		}
		go func() {
			b := make([]byte, 16)
			for _, a, err := u.ReadFrom(b); err == nil; _, a, err = u.ReadFrom(b) {
				u.WriteTo(fmt.Append(nil, words[0], " ", a), a)
			}
		}()
	}
	fmt.Println("ready")
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// patience is how long a test waits for an answer; a refusal comes at once.
const patience = 3 * time.Second

// dial returns who answers at a target, such as tcp=192.0.2.1:80, and the address it
// sees; or what goes wrong.
func dial(target string) string {
	network, address, _ := strings.Cut(target, "=")
	c, err := net.DialTimeout(network, address, patience)
	if err != nil {
		return "no connection"
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	if network == "udp" {
		c.Write([]byte("x"))
	}
	b := make([]byte, 128)
	n, err := c.Read(b)
	if err != nil {
		return "no answer"
	}
	return string(b[:n])
}

// start starts a stage; its standard output is read by the caller.
func start(t *testing.T, jid int, name, arg string) (*exec.Cmd, io.ReadCloser, io.WriteCloser) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = []string{stageVar + "=" + name, argVar + "=" + arg, fmt.Sprintf("%s=%d", jidVar, jid)}
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, out, in
}

// startServer runs a server until the end of the test.
func startServer(t *testing.T, jid int, name string, ports ...string) {
	t.Helper()
	cmd, out, in := start(t, jid, "serve", strings.Join(append([]string{name}, ports...), " "))
	t.Cleanup(func() {
		in.Close()
		cmd.Wait()
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("the server of %s says %q, %v", name, line, err)
	}
}

// dials returns what targets answer, seen from a jail.
func dials(t *testing.T, jid int, targets ...string) map[string]string {
	t.Helper()
	cmd, out, in := start(t, jid, "dial", strings.Join(targets, " "))
	defer in.Close()
	answers := map[string]string{}
	for s := bufio.NewScanner(out); s.Scan(); {
		target, answer, _ := strings.Cut(s.Text(), " ")
		answers[target] = answer
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	return answers
}

// command runs a command of the base system and returns what it prints.
func command(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// world is a network with two containers, a jail outside of it, and the host between.
type world struct {
	network    Network
	one, two   Attachment
	jids       map[string]int // one, two, out
	host4      string         // the host's address that the outside reaches
	host6      string
	out4, out6 string
}

// newWorld makes it. The outside has no route to the network.
func newWorld(t *testing.T) *world {
	t.Helper()
	need.Root(t)
	for _, m := range []string{"if_bridge", "if_epair"} {
		if err := kernel.LoadModule(m); err != nil {
			t.Fatal(err)
		}
	}
	setSysctl(t, "net.inet.ip.forwarding", "1")
	setSysctl(t, "net.inet6.ip6.forwarding", "1")
	n := testNetwork()
	w := &world{network: n, jids: map[string]int{}, host4: "198.51.100.1", host6: "2001:db8:51::1", out4: "198.51.100.2", out6: "2001:db8:51::2"}
	bridge := command(t, "ifconfig", "bridge", "create")
	t.Cleanup(func() { exec.Command("ifconfig", n.Bridge, "destroy").Run() })
	command(t, "ifconfig", bridge, "name", n.Bridge)
	command(t, "ifconfig", n.Bridge, "inet", n.Gateway4.String()+"/24", "up")
	command(t, "ifconfig", n.Bridge, "inet6", n.Gateway6.String()+"/64", "no_dad")
	w.one, w.two = testAttachment("one", 11), testAttachment("two", 12)
	for _, a := range []Attachment{w.one, w.two} {
		host := w.addJail(t, a.Owner, a.IPv4.String()+"/24", a.IPv6.String()+"/64", n.Gateway4.String(), n.Gateway6.String())
		command(t, "ifconfig", n.Bridge, "addm", host)
	}
	host := w.addJail(t, "out", w.out4+"/24", w.out6+"/64", "", "")
	command(t, "ifconfig", host, "inet", w.host4+"/24")
	command(t, "ifconfig", host, "inet6", "-ifdisabled")
	command(t, "ifconfig", host, "inet6", w.host6+"/64", "no_dad")
	return w
}

// addJail makes a jail with an interface eth0, and returns the interface's host end.
func (w *world) addJail(t *testing.T, name, addr4, addr6, gateway4, gateway6 string) string {
	t.Helper()
	j, err := kernel.CreateJail([]kernel.Param{
		kernel.String("name", fmt.Sprintf("jt-firewall-%d-%s", os.Getpid(), name)), kernel.String("path", "/"),
		kernel.Bool("persist", true), kernel.Int("vnet", kernel.New),
	})
	if err != nil {
		t.Fatal(err)
	}
	jid := strconv.Itoa(j.ID)
	w.jids[name] = j.ID
	a := command(t, "ifconfig", "epair", "create")
	t.Cleanup(func() {
		// Closed connections may keep the jail for a minute; nobody waits for it.
		if err := errors.Join(j.Remove(), j.Close()); err != nil {
			t.Error(err)
		}
		exec.Command("ifconfig", a, "destroy").Run()
	})
	b := strings.TrimSuffix(a, "a") + "b"
	command(t, "ifconfig", a, "up")
	command(t, "ifconfig", b, "vnet", jid)
	for _, args := range [][]string{
		{"ifconfig", "lo0", "inet", "127.0.0.1/8", "up"}, {"ifconfig", b, "name", "eth0"}, {"ifconfig", "eth0", "inet", addr4, "up"},
		{"ifconfig", "eth0", "inet6", "-ifdisabled"}, {"ifconfig", "eth0", "inet6", addr6, "no_dad"},
	} {
		command(t, "jexec", append([]string{jid}, args...)...)
	}
	if gateway4 != "" {
		command(t, "jexec", jid, "route", "-q", "add", "default", gateway4)
		command(t, "jexec", jid, "route", "-q", "-6", "add", "default", gateway6)
	}
	return a
}

// setSysctl sets a variable until the end of the test.
func setSysctl(t *testing.T, name, value string) {
	t.Helper()
	before := command(t, "sysctl", "-n", name)
	command(t, "sysctl", name+"="+value)
	t.Cleanup(func() { exec.Command("sysctl", name+"="+before).Run() })
}
