package cni

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"jailshim/internal/need"
	"jailshim/jailctl/kernel"
	"jailshim/netsetup"
	"jailshim/netsetup/link"
)

// The test of this file makes jails, a bridge and an epair on the machine it runs on,
// and removes them.

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == InsideArg {
		if err := Inside(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func newJail(t *testing.T, name string, vnet bool) string {
	t.Helper()
	name = fmt.Sprintf("jt-cni-%d-%s", os.Getpid(), name)
	params := []kernel.Param{kernel.String("name", name), kernel.String("path", "/"), kernel.Bool("persist", true)}
	if vnet {
		params = append(params, kernel.Int("vnet", kernel.New))
	}
	j, err := kernel.CreateJail(params)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Remove(); err != nil {
			t.Error(err)
		}
		j.Close()
	})
	return name
}

// A life as a runtime makes it, on a real jail: by what the plugin prints and by what
// there is.
func TestPlugin_RealJail(t *testing.T) {
	need.Root(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "jailshim.toml")
	text := "[networks.default]\nsubnets = [\"10.215.0.0/24\", \"fd00:215::/64\"]\nbridge = \"jt-cni\"\nnat = \"none\"\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	options := netsetup.Options{
		StateDir: filepath.Join(dir, "db"), RunDir: filepath.Join(dir, "run"), Prefix: "jtc", Resolver: filepath.Join(dir, "none"), Config: file,
	}
	p := &Plugin{RunDir: filepath.Join(dir, "cni"), Jails: Kernel{Program: self}, Open: func(string) (Networks, error) { return netsetup.Open(options) }}
	t.Cleanup(func() {
		m, err := netsetup.Open(options)
		if err == nil {
			_, err = m.Prune(context.Background())
		}
		if err != nil {
			t.Error(err)
		}
	})
	jail := newJail(t, "pod", true)
	run := func(command, keys string) (string, bool) {
		conf := fmt.Sprintf(`{"cniVersion": "1.1.0", "name": "default", "config": %q%s}`, file, keys)
		out, ok := p.Run(t.Context(), &Call{Command: command, ContainerID: "c1", NetNS: jail, IfName: "eth0", Stdin: []byte(conf)})
		return string(out), ok
	}
	if out, ok := run("STATUS", ""); !ok {
		t.Fatalf("STATUS: %s", out)
	}
	added, ok := run("ADD", `, "runtimeConfig": {"ips": ["10.215.0.77"]}`)
	var r result
	if err := json.Unmarshal([]byte(added), &r); !ok || err != nil || len(r.IPs) != 2 || r.IPs[0].Address.String() != "10.215.0.77/24" {
		t.Fatalf("ADD: %s, %v", added, err)
	}
	// A refusal comes from the jail itself: nobody listens there.
	for _, ip := range r.IPs {
		c, err := net.DialTimeout("tcp", net.JoinHostPort(ip.Address.Addr().String(), "9"), 10*time.Second)
		if err == nil {
			c.Close()
		} else if !strings.Contains(err.Error(), "refused") {
			t.Errorf("%s: %v", ip.Address, err)
		}
	}
	prev := `, "prevResult": ` + added
	if out, ok := run("CHECK", prev); !ok {
		t.Errorf("CHECK: %s", out)
	}
	jid, err := p.Jails.Find(jail)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Jails.Configure(t.Context(), jid, []link.Call{link.DeleteAddress("eth0", r.IPs[0].Address.Addr())}); err != nil {
		t.Fatal(err)
	}
	out, ok := run("CHECK", prev)
	wantError(t, "CHECK without the address", out, ok, codeLost, "10.215.0.77")
	if err := p.Jails.Configure(t.Context(), jid, []link.Call{link.Destroy("nonesuch0"), link.Up("nonesuch0")}); err == nil || !strings.Contains(err.Error(), "nonesuch0") {
		t.Errorf("a call that fails: %v", err)
	}
	for range 2 {
		if out, ok := run("DEL", ""); !ok {
			t.Errorf("DEL: %s", out)
		}
	}
	inside, err := p.Jails.Interfaces(t.Context(), jid)
	if err != nil || len(inside) == 0 {
		t.Errorf("interfaces %v, %v", inside, err)
	}
	for _, i := range inside {
		if i.Name == "eth0" {
			t.Error("eth0 is in the jail after DEL")
		}
	}
	jail = newJail(t, "plain", false)
	out, ok = run("ADD", "")
	wantError(t, "a jail with the host's network", out, ok, codeEnvironment, "vnet")
	jail = "jt-cni-gone"
	out, ok = run("ADD", "")
	wantError(t, "no jail", out, ok, codeNoContainer, "jt-cni-gone")
}
