package jailctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"github.com/containerd/errdefs"

	"jailshim/jailctl/plan"
	"jailshim/netsetup"
	"jailshim/netsetup/port"
)

// NetworkState is what a container has of networks.
type NetworkState struct {
	// Owner is the key under which package netsetup knows the container; empty if it
	// has nothing there.
	Owner string `json:",omitempty"`
	// Reserved tells that the rest is all that it has.
	Reserved   bool                 `json:",omitempty"`
	Attachment *netsetup.Attachment `json:",omitempty"`
	Lent       []netsetup.Moved     `json:",omitempty"` // interfaces of the host
	Aliases    bool                 `json:",omitempty"` // its addresses are on an interface of the host
}

// maxPortsFile bounds what is read of nerdctl's record of ports.
const maxPortsFile = 1 << 20

// networks opens the networks of the machine. They are opened for each container: the
// configuration may have changed.
func (r *Runtime) networks() (*netsetup.Manager, error) { return netsetup.Open(r.config.Networks) }

// reserveNetwork takes what the plan wants of networks, and puts it into the state, so
// that it can be given back. Of it, only addresses on interfaces of the host are in the
// kernel when it returns.
func (k *Container) reserveNetwork(ctx context.Context) error {
	n := &k.plan.Network
	if !n.Own() && len(n.Interfaces) == 0 && n.Interface == "" {
		return nil
	}
	if err := rootsFolder.remember(ctx, k.rt); err != nil {
		return err
	}
	m, err := k.rt.networks()
	if err != nil {
		return err
	}
	k.networks = m
	// Whatever it gets before that is in the state too belongs to nobody without it.
	st := &k.state.Network
	st.Owner = k.rt.owner(k.state.ID)
	if err := k.save(); err != nil {
		return err
	}
	if len(n.Interfaces) > 0 {
		if st.Lent, err = m.Lend(n.Interfaces); err != nil {
			return fmt.Errorf("freebsd.jail.vnetInterfaces: %w", err)
		}
	}
	if n.Interface != "" {
		st.Aliases = true
		if err := m.Alias(ctx, st.Owner, n.Interface, slices.Concat(n.IP4, n.IP6)); err != nil {
			return fmt.Errorf("freebsd.jail.interface: %w", err)
		}
	}
	if n.Own() {
		err = k.reservePlace(ctx, m)
	}
	st.Reserved = true // an error leaves it nothing of the place
	return err
}

// reservePlace takes the container's place in the network that it names.
func (k *Container) reservePlace(ctx context.Context, m *netsetup.Manager) (err error) {
	n, st := &k.plan.Network, &k.state.Network
	request := netsetup.Request{
		Owner: st.Owner, Network: n.Name,
		Names: n.Place.Names, Hosts: n.Place.Hosts,
		IPv4: n.Place.IPv4, IPv6: n.Place.IPv6, MAC: n.Place.MAC, Ports: n.Place.Ports,
	}
	if n.Place.PortsFile != "" {
		if request.Ports, err = readPorts(n.Place.PortsFile); err != nil {
			return err
		}
	}
	if st.Attachment, err = m.Reserve(ctx, request); err != nil {
		return err
	}
	for _, w := range st.Attachment.Warnings {
		slog.Warn("a network works less well than it could", "container", k.state.ID, "network", n.Name, "warning", w)
	}
	return k.nameFiles()
}

// readPorts reads nerdctl's record of the ports of a container; there may be none.
func readPorts(path string) ([]port.Mapping, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxPortsFile))
	if err != nil {
		return nil, err
	}
	ports, err := port.ParseNerdctl(string(b))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return ports, nil
}

// nameFiles plans the mounts of the files by which the container finds others.
func (k *Container) nameFiles() error {
	a, place := k.state.Network.Attachment, &k.plan.Network.Place
	if !place.OwnHosts {
		k.plan.Mounts = append(k.plan.Mounts, plan.NameFile(a.Hosts, plan.HostsPath, a.Network))
	}
	if place.OwnResolver {
		return nil
	}
	path := filepath.Join(realPath(k.rt.store.folder(k.name)), resolverFile)
	if err := os.WriteFile(path, []byte(a.Resolver), 0o644); err != nil {
		return err
	}
	k.plan.Mounts = append(k.plan.Mounts, plan.NameFile(path, plan.ResolverPath, a.Network))
	return nil
}

// attachNetwork puts the jail, which is made, on its network and gives it the
// interfaces that it gets.
func (k *Container) attachNetwork(ctx context.Context) (err error) {
	m, st := k.networks, &k.state.Network
	if m == nil {
		return nil
	}
	k.networks = nil
	if err := m.MoveIn(ctx, k.state.JID, st.Lent); err != nil {
		return fmt.Errorf("freebsd.jail.vnetInterfaces: %w", err)
	}
	if st.Attachment == nil {
		return nil
	}
	k.inJail, err = m.Attach(ctx, st.Attachment, k.state.JID)
	return err
}

// detachNetwork takes the container from its networks, and back the interfaces that
// are called there as they were; its jail may be gone.
func (r *Runtime) detachNetwork(ctx context.Context, st *State) error {
	n := &st.Network
	if n.Owner == "" {
		return nil
	}
	m, err := r.networks()
	if err != nil {
		return err
	}
	var errs []error
	switch {
	case n.Attachment != nil:
		errs = append(errs, m.Detach(ctx, n.Attachment))
	case !n.Reserved:
		// Whoever made it was killed, and only the networks know what it had.
		_, err := m.GC(ctx, func(owner string) bool { return owner != n.Owner })
		errs = append(errs, err)
	}
	if n.Aliases {
		errs = append(errs, m.Unalias(ctx, n.Owner))
	}
	if len(n.Lent) > 0 {
		errs = append(errs, takeBack(ctx, m, st))
	}
	return errors.Join(errs...)
}

// takeBack moves interfaces that were lent back from the jail, if it is there. What is
// not found is looked for again when the jail is gone.
func takeBack(ctx context.Context, m *netsetup.Manager, st *State) error {
	j, err := openOwn(st)
	if err != nil || j == nil {
		return err
	}
	_, err = m.MoveBack(ctx, j.ID, st.Network.Lent)
	return errors.Join(err, j.Close())
}

// returnInterfaces gives the interfaces their names that were lent to a jail, which is
// gone now. The kernel has brought them back.
func (r *Runtime) returnInterfaces(ctx context.Context, st *State) error {
	if len(st.Network.Lent) == 0 {
		return nil
	}
	m, err := r.networks()
	if err != nil {
		return err
	}
	away, err := m.MoveBack(ctx, 0, st.Network.Lent)
	if err != nil || len(away) == 0 {
		return err
	}
	var names []string
	for _, v := range away {
		names = append(names, v.Name)
	}
	return fmt.Errorf("interfaces %q have not come back from the jail yet, which waits for its last connections: %w", names, errdefs.ErrUnavailable)
}

// NetworkGC removes what containers that are gone have left of networks. The runtimes
// must be all of the machine, and others return the keys of whatever else has places in
// its networks: what belongs to nobody of them is removed.
func NetworkGC(ctx context.Context, o netsetup.Options, runtimes []*Runtime, others func() ([]string, error)) ([]netsetup.Leftover, error) {
	m, err := netsetup.Open(o)
	if err != nil {
		return nil, err
	}
	known := make(map[string]bool)
	look := func() error {
		for _, r := range runtimes {
			if err := r.owners(known); err != nil {
				return err
			}
		}
		keys, err := others()
		for _, key := range keys {
			known[key] = true
		}
		return err
	}
	if err := look(); err != nil {
		return nil, err
	}
	return m.GC(ctx, func(owner string) bool {
		// Who is not known may have come meanwhile.
		return known[owner] || look() != nil || known[owner]
	})
}

// owners adds those of the runtime's containers.
func (r *Runtime) owners(known map[string]bool) error {
	names, err := r.store.names()
	if err != nil {
		return err
	}
	for _, name := range names {
		st, err := r.store.read(name)
		if errdefs.IsNotFound(err) {
			continue // it has nothing before it has a state
		}
		if err != nil {
			return err
		}
		known[st.Network.Owner] = true
	}
	return nil
}
