package netsetup

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"jailshim/jailctl/kernel"
)

// jidVar tells a copy of the test binary to bring up the network of a jail.
const jidVar = "NETSETUP_TEST_JID"

func TestMain(m *testing.M) {
	jid := os.Getenv(jidVar)
	if jid == "" {
		os.Exit(m.Run())
	}
	if err := stage(jid); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// stage attaches to a jail, brings its loopback interface up twice, and prints what
// the interface has then.
func stage(text string) error {
	jid, err := strconv.Atoi(text)
	if err != nil {
		return err
	}
	if err := kernel.JailFromFile(nil, jid).Attach(); err != nil {
		return err
	}
	if err := errors.Join(Loopback(), Loopback()); err != nil {
		return err
	}
	lo, err := net.InterfaceByName(loopback)
	if err != nil {
		return err
	}
	addrs, err := lo.Addrs()
	if err != nil {
		return err
	}
	if err := sendSelf("127.0.0.1:0"); err != nil {
		return err
	}
	// A kernel without IPv6 has no such address.
	if slices.ContainsFunc(addrs, func(a net.Addr) bool { return a.String() == loopback6.String() }) {
		if err := sendSelf("[::1]:0"); err != nil {
			return err
		}
	}
	fmt.Println(lo.Flags&net.FlagUp != 0, addrs)
	return nil
}

// sendSelf sends a datagram from an address to itself. A closed TCP connection would
// keep the jail for a minute.
func sendSelf(address string) error {
	c, err := net.ListenPacket("udp", address)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return err
	}
	if _, err := c.WriteTo([]byte("x"), c.LocalAddr()); err != nil {
		return err
	}
	_, _, err = c.ReadFrom(make([]byte, 1))
	return err
}

// A container with a network of its own reaches itself by 127.0.0.1 and ::1.
func TestLoopback_NewNetwork(t *testing.T) {
	if os.Geteuid() != 0 {
		const missing = "this test needs root: run it with su(1) or doas(1)"
		if os.Getenv("E2E_REQUIRE") == "1" {
			t.Fatal(missing + " (E2E_REQUIRE=1: not skipped)")
		}
		t.Skip(missing)
	}
	j, err := kernel.CreateJail([]kernel.Param{
		kernel.String("name", fmt.Sprintf("jt-netsetup-%d", os.Getpid())),
		kernel.String("path", "/"),
		kernel.Bool("persist", true),
		kernel.Int("vnet", kernel.New),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := errors.Join(j.Remove(), j.Close()); err != nil {
			t.Error(err)
		}
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			if state, err := kernel.StateOfJail(j.ID); err == nil && state == kernel.JailGone {
				return
			}
			if time.Now().After(deadline) {
				t.Fatal("gave up waiting until the jail is gone")
			}
		}
	}()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = []string{fmt.Sprintf("%s=%d", jidVar, j.ID)}
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("the stage: %v, %s", err, out)
	}
	if !strings.HasPrefix(string(out), "true ") || !strings.Contains(string(out), loopback4.String()) {
		t.Errorf("the interface is %s", out)
	}
}
