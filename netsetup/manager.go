package netsetup

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/containerd/errdefs"

	"jailshim/internal/fault"
	"jailshim/netsetup/config"
	"jailshim/netsetup/firewall"
	"jailshim/netsetup/lease"
	"jailshim/netsetup/link"
	"jailshim/netsetup/locked"
	"jailshim/netsetup/names"
	"jailshim/netsetup/port"
)

// Options say where a Manager finds and keeps things. What is empty has a default.
type Options struct {
	Config   string // file; default config.DefaultPath
	StateDir string // what survives a reboot: /var/db/jailshim/net
	RunDir   string // what must not: /var/run/jailshim/net
	// Prefix of the names of the host's ends: "jn". Two managers with folders of
	// their own need different ones, or take each other's interfaces for leftovers.
	Prefix string
	// LinkDir holds the lock of fresh interfaces, which is one for all managers of
	// the machine: /var/run/jailshim/link.
	LinkDir string
	// Resolver is the host's resolv.conf: /etc/resolv.conf.
	Resolver string
}

// Manager makes and removes networks and containers' places in them. It is safe for
// concurrent use, and so are many processes with the same folders.
type Manager struct {
	options  Options
	config   *config.Config
	leases   *lease.Store
	ports    *port.Registry
	names    *names.Registry
	networks *locked.Folder // records by the network's name
	aliases  *locked.Folder
	fresh    *locked.Folder // only its lock
	system   system
	reached  reached
	// firewall returns a driver; see [firewall.Select].
	firewall func(ctx context.Context, name, dir string) (firewall.Driver, error)
}

// Open reads the configuration and opens the folders, which it makes. A configuration
// that is wrong is InvalidArgument and names the file, the line and the key.
func Open(o Options) (*Manager, error) { return open(o, running{}, fault.Point, firewall.Select) }

func open(o Options, s system, r reached, fw func(context.Context, string, string) (firewall.Driver, error)) (_ *Manager, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("networks: %w", err)
		}
	}()
	for _, d := range []struct {
		field *string
		value string
	}{
		{&o.Config, config.DefaultPath}, {&o.StateDir, "/var/db/jailshim/net"}, {&o.RunDir, "/var/run/jailshim/net"},
		{&o.Prefix, "jn"}, {&o.LinkDir, "/var/run/jailshim/link"}, {&o.Resolver, "/etc/resolv.conf"},
	} {
		if *d.field == "" {
			*d.field = d.value
		}
	}
	if max := link.MaxName - hashDigits; len(o.Prefix) > max || strings.ContainsAny(o.Prefix[len(o.Prefix)-1:], "0123456789") {
		return nil, fmt.Errorf("prefix %q of interfaces is longer than %d bytes, or ends in a digit: %w", o.Prefix, max, errdefs.ErrInvalidArgument)
	}
	m := &Manager{options: o, system: s, reached: r, firewall: fw}
	if m.config, err = config.Load(o.Config); err != nil {
		return nil, err
	}
	if m.leases, err = lease.Open(filepath.Join(o.StateDir, "leases")); err != nil {
		return nil, err
	}
	if m.ports, err = port.OpenRegistry(filepath.Join(o.RunDir, "ports")); err != nil {
		return nil, err
	}
	if m.names, err = names.OpenRegistry(filepath.Join(o.RunDir, "hosts")); err != nil {
		return nil, err
	}
	for dir, folder := range map[string]**locked.Folder{
		filepath.Join(o.RunDir, "networks"): &m.networks,
		filepath.Join(o.RunDir, "aliases"):  &m.aliases,
		o.LinkDir:                           &m.fresh,
	} {
		if *folder, err = locked.Open(dir); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// driver returns the firewall driver of a name.
func (m *Manager) driver(ctx context.Context, name string) (firewall.Driver, error) {
	dir := filepath.Join(m.options.RunDir, "firewall")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	return m.firewall(ctx, name, dir)
}

// find returns an interface of a list by its name, nil if there is none.
func find(list []link.Interface, name string) *link.Interface {
	for i := range list {
		if list[i].Name == name {
			return &list[i]
		}
	}
	return nil
}
