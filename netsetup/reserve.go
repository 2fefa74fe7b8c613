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
	"syscall"

	"github.com/containerd/errdefs"

	"jailshim/netsetup/config"
	"jailshim/netsetup/lease"
	"jailshim/netsetup/link"
	"jailshim/netsetup/names"
	"jailshim/netsetup/port"
)

// Reserve takes what a container needs of a network: the network itself, which is made
// on first use, addresses, ports of the host and names. Of the container, nothing is in
// the kernel yet. For calls that are repeated, see [Request].Owner.
//
// Until the caller has stored the Attachment, only GC gives back what was taken, and
// takes the container to be alive as its caller says: it should be so before Reserve.
//
// Errors: NotFound, there is no such network; InvalidArgument, the request is wrong;
// AlreadyExists, an address, or a port of the host, is another's, or the container is
// attached; ResourceExhausted, no address is free; FailedPrecondition, the machine lacks
// something, such as a firewall's hook, and the text says what to do. Then the container
// has what it had before, and a network that was made stays.
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
	if err := m.unattached(r.Owner, n.Name); err != nil {
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
	path, err := m.takeNames(ctx, n.Name, names.Entry{Owner: r.Owner, Addrs: addrs, Names: r.Names, Extra: r.Hosts}, u)
	if err != nil {
		return err
	}
	a.Hosts = path
	return m.reached(pointNames)
}

// unattached returns AlreadyExists if a container has its interface. One that lives
// would lose it with whatever the caller undoes.
func (m *Manager) unattached(owner, network string) error {
	end := m.hostEnd(owner, network)
	err := m.system.Run([]link.Call{link.GetFlags(end)})
	if errors.Is(err, syscall.ENXIO) {
		return nil
	}
	if err != nil {
		return err
	}
	return fmt.Errorf("it is attached there by the interface %s: remove the container that has it; if there is none, run \"jailctl gc\": %w",
		end, errdefs.ErrAlreadyExists)
}

// takePorts registers the ports of a request. A process of the host that has one of
// them would not get what comes to it any more.
func (m *Manager) takePorts(ctx context.Context, r *Request, u *undo) error {
	former := port.Claim{Owner: claim(r.Owner, r.Network)}
	all, err := m.ports.List(ctx)
	if err != nil {
		return err
	}
	for _, c := range all {
		if c.Owner == former.Owner {
			former = c
		}
	}
	if err := m.ports.Claim(ctx, former.Owner, r.Ports); err != nil {
		return err
	}
	u.add(func(ctx context.Context) error { return m.ports.Claim(ctx, former.Owner, former.Ports) })
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
	got, err := m.takeLease(ctx, ask, u)
	if err != nil {
		return err
	}
	for i, addr := range got.Addrs {
		a.Addrs = append(a.Addrs, netip.PrefixFrom(addr, ask.Pools[i].Prefix.Bits()))
	}
	return m.reached(pointLease)
}

func (m *Manager) takeLease(ctx context.Context, ask lease.Request, u *undo) (lease.Lease, error) {
	there, err := m.leases.List(ctx, ask.Network)
	if err != nil {
		return lease.Lease{}, err
	}
	got, err := m.leases.Acquire(ctx, ask)
	if err != nil {
		return lease.Lease{}, err
	}
	former := slices.IndexFunc(there, func(l lease.Lease) bool { return l.Owner == ask.Owner })
	u.add(func(ctx context.Context) error {
		if former < 0 {
			return m.leases.Release(ctx, ask.Network, ask.Owner)
		}
		return m.leases.Restore(ctx, there[former])
	})
	return got, nil
}

func (m *Manager) takeNames(ctx context.Context, network string, e names.Entry, u *undo) (path string, err error) {
	there, err := m.names.List(ctx, network)
	if err != nil {
		return "", err
	}
	former := slices.IndexFunc(there, func(t names.Entry) bool { return t.Owner == e.Owner })
	u.add(func(ctx context.Context) error {
		if former < 0 {
			return m.names.Remove(ctx, network, e.Owner)
		}
		_, err := m.names.Set(ctx, network, there[former])
		return err
	})
	return m.names.Set(ctx, network, e)
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
