package netsetup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"slices"

	"github.com/containerd/errdefs"

	"jailshim/netsetup/config"
	"jailshim/netsetup/lease"
	"jailshim/netsetup/names"
	"jailshim/netsetup/port"
)

// Reserve takes what a container needs of a network: the network itself, which is made
// on first use, addresses, ports of the host and names. Of the container, nothing is in
// the kernel yet. A second call for the same container and network gets the same
// addresses, if it asks for no others.
//
// Until the caller has stored the Attachment, only GC gives back what was taken, and
// takes the container to be alive as its caller says: it should be so before Reserve.
//
// Errors: NotFound, there is no such network; InvalidArgument, the request is wrong;
// AlreadyExists, an address, or a port of the host, is another's; ResourceExhausted, no
// address is free; FailedPrecondition, the machine lacks something, such as a firewall's
// hook, and the text says what to do. Nothing is left taken then; a network that was
// made stays.
func (m *Manager) Reserve(ctx context.Context, r Request) (_ *Attachment, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("network %q for %q: %w", r.Network, r.Owner, err)
		}
	}()
	if r.Interface == "" {
		r.Interface = DefaultInterface
	}
	n, err := m.config.Network(r.Network)
	if err != nil {
		return nil, err
	}
	if err := r.check(n); err != nil {
		return nil, err
	}
	a := &Attachment{
		Owner: r.Owner, Network: n.Name, Bridge: n.Bridge, HostEnd: m.hostEnd(r.Owner, n.Name), Interface: r.Interface,
		MTU: n.MTU, Routes: n.Routes, Isolate: n.Isolate, Ports: r.Ports,
	}
	if a.Resolver, a.Warnings, err = m.resolver(n); err != nil {
		return nil, err
	}
	var u undo
	if err := m.reserve(ctx, &r, n, a, &u); err != nil {
		return nil, u.run(ctx, err)
	}
	return a, nil
}

func (m *Manager) reserve(ctx context.Context, r *Request, n *config.Network, a *Attachment, u *undo) error {
	if len(r.Ports) > 0 {
		if err := m.takePorts(ctx, r, u); err != nil {
			return err
		}
	}
	// Nobody removes the network before the lease says that it is used.
	if err := m.networks.Do(ctx, func() error { return m.takeAddresses(ctx, r, n, a, u) }); err != nil {
		return err
	}
	var addrs []netip.Addr
	for _, p := range a.Addrs {
		addrs = append(addrs, p.Addr())
	}
	a.MAC = r.MAC.String()
	if len(r.MAC) == 0 {
		a.MAC = macOf(n.Name, addrs).String()
	}
	u.add(func(ctx context.Context) error { return m.names.Remove(ctx, n.Name, r.Owner) })
	path, err := m.names.Set(ctx, n.Name, names.Entry{Owner: r.Owner, Addrs: addrs, Names: r.Names, Extra: r.Hosts})
	if err != nil {
		return err
	}
	a.Hosts = path
	return m.reached(pointNames)
}

// takePorts registers the ports of a request. A process of the host that has one of
// them would not get what comes to it any more.
func (m *Manager) takePorts(ctx context.Context, r *Request, u *undo) error {
	key := claim(r.Owner, r.Network)
	if err := m.ports.Claim(ctx, key, r.Ports); err != nil {
		return err
	}
	u.add(func(ctx context.Context) error { return m.ports.Release(ctx, key) })
	if err := port.CheckHost(ctx, r.Ports); err != nil {
		return err
	}
	return m.reached(pointPorts)
}

// takeAddresses makes the network if it is not there, and leases addresses of it. The
// caller holds the lock of the records.
func (m *Manager) takeAddresses(ctx context.Context, r *Request, n *config.Network, a *Attachment, u *undo) error {
	rec, err := m.ensure(ctx, n)
	if err != nil {
		return err
	}
	a.Firewall = rec.Firewall
	a.Warnings = append(a.Warnings, rec.Warnings...)
	if len(r.Ports) > 0 && rec.Firewall == string(config.NATNone) {
		return fmt.Errorf("no firewall translates for the network: no port can be published: %w", errdefs.ErrFailedPrecondition)
	}
	if err := m.reached(pointNetwork); err != nil {
		return err
	}
	ask := lease.Request{Network: n.Name, Owner: r.Owner}
	for _, s := range subnets(n) {
		ask.Pools = append(ask.Pools, lease.Pool{Prefix: s.Prefix, First: s.First, Last: s.Last, Reserved: []netip.Addr{s.Gateway}})
		a.Gateways = append(a.Gateways, s.Gateway)
	}
	for _, addr := range []netip.Addr{r.IPv4, r.IPv6} {
		if addr.IsValid() {
			ask.Static = append(ask.Static, addr)
		}
	}
	there, err := m.leases.List(ctx, n.Name)
	if err != nil {
		return err
	}
	got, err := m.leases.Acquire(ctx, ask)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(there, func(l lease.Lease) bool { return l.Owner == r.Owner }) {
		u.add(func(ctx context.Context) error { return m.leases.Release(ctx, n.Name, r.Owner) })
	}
	for i, addr := range got.Addrs {
		a.Addrs = append(a.Addrs, netip.PrefixFrom(addr, ask.Pools[i].Prefix.Bits()))
	}
	return m.reached(pointLease)
}

// resolver returns the text of a container's resolv.conf. A host without one is no
// error.
func (m *Manager) resolver(n *config.Network) (text string, warnings []string, err error) {
	host, err := os.ReadFile(m.options.Resolver)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", nil, err
	}
	own := names.Resolver{Servers: n.DNS.Servers, Search: n.DNS.Search, Options: n.DNS.Options}
	r, warnings := names.ForContainer(own, names.ParseResolver(host))
	return string(r.Text()), warnings, nil
}

// mac parses the attachment's MAC.
func (a *Attachment) mac() (net.HardwareAddr, error) {
	mac, err := net.ParseMAC(a.MAC)
	if err != nil {
		return nil, fmt.Errorf("network %q of %q: %w: %w", a.Network, a.Owner, err, errdefs.ErrInvalidArgument)
	}
	return mac, nil
}
