package cni

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/containerd/errdefs"

	"jailshim/netsetup"
	"jailshim/netsetup/config"
	"jailshim/netsetup/link"
)

var errInjected = errors.New("injected")

// world is the networks and the jails of a machine, in memory.
type world struct {
	*Plugin
	t        *testing.T
	file     string
	taken    map[string]netsetup.Request // by owner
	attached map[string]int              // jids, by owner
	inside   map[int][]link.Interface    // by jid
	fail     map[string]error            // by method
	kill     string                      // the method in which the process dies
}

const testConfig = `
[networks.default.dns]
servers = ["192.0.2.53"]
search = ["example.org"]
[networks.lan]
subnets = ["10.99.0.0/24"]
[[networks.lan.routes]]
destination = "198.51.100.0/24"
gateway = "10.99.0.9"
`

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{
		t: t, file: filepath.Join(t.TempDir(), "jailshim.toml"), taken: map[string]netsetup.Request{}, attached: map[string]int{},
		inside: map[int][]link.Interface{7: nil, 8: nil}, fail: map[string]error{},
	}
	if err := os.WriteFile(w.file, []byte(testConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	w.Plugin = &Plugin{RunDir: filepath.Join(t.TempDir(), "cni"), Jails: w, Open: w.open}
	return w
}

// killed is what a simulated SIGKILL panics with.
type killed struct{}

// step is passed in each method.
func (w *world) step(method string) error {
	if w.kill == method {
		panic(killed{})
	}
	return w.fail[method]
}

func (w *world) open(file string) (Networks, error) {
	if file != w.file {
		return nil, fmt.Errorf("opened with the file %q", file)
	}
	return w, w.step("Open")
}

func (w *world) Reserve(_ context.Context, r netsetup.Request) (*netsetup.Attachment, error) {
	if err := w.fail["Reserve"]; err != nil {
		return nil, err
	}
	c, err := config.Load(w.file)
	if err != nil {
		return nil, err
	}
	n, err := c.Network(r.Network)
	if err != nil {
		return nil, err
	}
	w.taken[r.Owner] = r
	a := &netsetup.Attachment{
		Owner: r.Owner, Network: n.Name, Bridge: n.Bridge, HostEnd: "jn0", Interface: r.Interface, MAC: "02:00:00:00:00:01", MTU: n.MTU,
		Routes: n.Routes, Ports: r.Ports, Resolver: "search example.org\nnameserver 192.0.2.53\noptions ndots:2\n",
	}
	for _, s := range n.Subnets() {
		a.Addrs = append(a.Addrs, netip.PrefixFrom(s.Gateway.Next(), s.Prefix.Bits()))
		a.Gateways = append(a.Gateways, s.Gateway)
	}
	return a, w.step("Reserve")
}

func (w *world) Attach(_ context.Context, a *netsetup.Attachment, jid int) ([]link.Call, error) {
	if err := w.fail["Attach"]; err != nil {
		return nil, err
	}
	w.attached[a.Owner] = jid
	w.inside[jid] = []link.Interface{{Name: a.Interface, Flags: link.FlagUp, Addrs: slices.Clone(a.Addrs)}}
	return []link.Call{link.Up(a.Interface)}, w.step("Attach")
}

func (w *world) drop(owner string) {
	w.inside[w.attached[owner]] = nil
	delete(w.taken, owner)
	delete(w.attached, owner)
}

func (w *world) Detach(_ context.Context, a *netsetup.Attachment) error {
	if err := w.step("Detach"); err != nil {
		return err
	}
	w.drop(a.Owner)
	return nil
}

func (w *world) GC(_ context.Context, alive func(string) bool) ([]netsetup.Leftover, error) {
	if err := w.step("GC"); err != nil {
		return nil, err
	}
	for owner := range w.taken {
		if !alive(owner) {
			w.drop(owner)
		}
	}
	return nil, nil
}

func (w *world) Check(context.Context, string) ([]string, error) { return nil, w.step("Check") }

// Find knows the VNET jails "pod" and "other", and "plain" with the host's network.
func (w *world) Find(name string) (int, error) {
	switch name {
	case "pod":
		return 7, nil
	case "other":
		return 8, nil
	case "plain":
		return 0, fmt.Errorf("jail %q has no network stack: %w", name, errdefs.ErrFailedPrecondition)
	}
	return 0, fmt.Errorf("there is no jail %q: %w", name, errdefs.ErrNotFound)
}

func (w *world) Configure(_ context.Context, jid int, calls []link.Call) error {
	if len(w.inside[jid]) == 0 || len(calls) != len(link.Loopback())+1 {
		return fmt.Errorf("%d calls in jail %d", len(calls), jid)
	}
	return w.step("Configure")
}

func (w *world) Interfaces(_ context.Context, jid int) ([]link.Interface, error) {
	return w.inside[jid], w.step("Interfaces")
}

// call runs a call for the container c1 in the jail "pod"; edit changes it before.
func (w *world) call(command, conf string, edit func(*Call)) (string, bool) {
	w.t.Helper()
	c := &Call{Command: command, ContainerID: "c1", NetNS: "pod", IfName: "eth0", Stdin: []byte(fmt.Sprintf(conf, w.file))}
	if edit != nil {
		edit(c)
	}
	out, ok := w.Run(w.t.Context(), c)
	return string(out), ok
}

// wantEmpty checks that nothing of any container is left.
func (w *world) wantEmpty(what string) {
	w.t.Helper()
	owners, err := Owners(w.RunDir)
	if err != nil || len(owners)+len(w.taken)+len(w.attached) > 0 {
		w.t.Errorf("%s: left records %v, %v; taken %v, attached %v", what, owners, err, w.taken, w.attached)
	}
}
