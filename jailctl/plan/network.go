package plan

import (
	"net/netip"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"jailshim/jailctl/kernel"
)

// networkAnnotation names the network, as the path of a network namespace does.
const networkAnnotation = "io.containerd.jail.network"

// jailNetwork is the beginning of a network's name that is a jail's.
const jailNetwork = "jail:"

// maxNetwork bounds the name of a network.
const maxNetwork = 63

// NetworkMode says which network stack a container uses.
type NetworkMode int

// The network modes.
const (
	// NetworkHost is the host's stack, or that of the parent jail; with
	// addresses in IP4 or IP6 it is restricted to those.
	NetworkHost NetworkMode = iota
	// NetworkPrivate is a VNET of its own with the loopback interface, and the
	// interfaces of freebsd.jail.vnetInterfaces.
	NetworkPrivate
	// NetworkNamed is what Name says. A network gives a VNET of its own on that
	// network; [Network.Joins] tells the names that are somebody else's stack.
	NetworkNamed
	// NetworkNone is neither IPv4 nor IPv6.
	NetworkNone
)

func (m NetworkMode) String() string {
	switch m {
	case NetworkHost:
		return "host"
	case NetworkPrivate:
		return "private"
	case NetworkNamed:
		return "named"
	case NetworkNone:
		return "none"
	}
	return "unknown"
}

// Network is the network that a container asks for. The jail's parameters say
// the same; this is what is to be done beside them.
type Network struct {
	Mode NetworkMode
	// Name, if the mode is NetworkNamed: a network's name, "jail:NAME", or the
	// path of a network namespace as Linux has it.
	Name string
	// Interfaces of the host move into the container's VNET.
	Interfaces []string
	// Interface of the host gets the addresses IP4 and IP6 while the container is
	// there; empty: they must be there.
	Interface string
	IP4, IP6  []netip.Addr
	// Place in the network Name, unless the container [Network.Joins] it.
	Place Place
}

// Own reports whether the container has a place of its own in a network.
func (n Network) Own() bool { return n.Mode == NetworkNamed && !n.Joins() }

// Joins reports whether the container uses the stack of something that exists: a
// jail, whose child it then is, or whatever a namespace's path stands for
// ("/proc/123/ns/net"), which only the running system tells. See [Plan.JoinJail].
func (n Network) Joins() bool {
	return n.Mode == NetworkNamed && (strings.HasPrefix(n.Name, jailNetwork) || strings.HasPrefix(n.Name, "/"))
}

// OwnStack reports whether the container gets a VNET.
func (n Network) OwnStack() bool {
	return n.Mode == NetworkPrivate || n.Own()
}

// JoinJail makes the container a child of a jail, whose network stack it uses.
// It is for a plan whose network [Network.Joins] a path, once it is known which
// jail that is, and what limits its children; for "jail:NAME" [New] has done it.
func (p *Plan) JoinJail(parent string, limits Parent) error {
	if why := checkJailName(parent); why != "" {
		return invalid("linux.namespaces[network]", "%q: %s", parent, why)
	}
	switch {
	case p.Parent == "":
		p.Name = parent + "." + p.Name
		p.Parent = parent
	case p.Parent != parent && !strings.HasPrefix(p.Parent, parent+"."):
		return invalid("linux.namespaces[network]", "it is the network of the jail %q, and the parent is %q", parent, p.Parent)
	}
	if len(p.Name) > maxJailName {
		return invalid("id", "the jail's name %q is longer than %d bytes", p.Name, maxJailName)
	}
	for i, param := range p.Params {
		switch param.Name {
		case "name":
			p.Params[i] = kernel.String("name", p.Name)
		case "enforce_statfs":
			if n, err := kernel.DecodeInt(param.Value); err == nil && int(n) < limits.Statfs {
				p.Params[i] = kernel.Int("enforce_statfs", int32(limits.Statfs))
			}
		}
	}
	return nil
}

// network decides which stack the container uses, and sets the parameters that
// make it so.
func (b *builder) network() error {
	n, err := b.networkMode()
	if err != nil {
		return err
	}
	b.plan.Network = n
	if n.OwnStack() {
		err = b.ownStack()
	} else {
		err = b.sharedStack()
	}
	if err != nil {
		return err
	}
	if name, ok := strings.CutPrefix(n.Name, jailNetwork); ok {
		if b.plan.Parent != "" && b.plan.Parent != name && !strings.HasPrefix(b.plan.Parent, name+".") {
			return invalid("network "+n.Name, "the parent jail is %q, and a jail has the network of its parent or its own", b.plan.Parent)
		}
		if b.plan.Parent == "" {
			b.plan.Parent = name
		}
	}
	return b.interfaces()
}

// networkMode finds out who decides: the annotation with the network's name, the
// jail's parameters, the namespaces, in this order.
func (b *builder) networkMode() (Network, error) {
	named, field, err := b.namedNetwork()
	if err != nil {
		return Network{}, err
	}
	if _, ok := b.spec.Annotations[networkAnnotation]; ok {
		return named, b.settle(named, field)
	}
	switch {
	case b.params.get("vnet") == "new":
		if named.OwnStack() {
			return named, nil
		}
		return Network{Mode: NetworkPrivate}, nil
	case b.params.has("vnet") || b.setsAddresses():
		if named.Joins() {
			return named, nil
		}
		if b.params.get("ip4") == "disable" && b.params.get("ip6") == "disable" {
			return Network{Mode: NetworkNone}, nil
		}
		return Network{}, nil
	}
	return named, nil
}

// namedNetwork reads the annotation or the network namespace.
func (b *builder) namedNetwork() (Network, string, error) {
	found, err := b.namespaces()
	if err != nil {
		return Network{}, "", err
	}
	const field = "linux.namespaces[network].path"
	name, ok := b.spec.Annotations[networkAnnotation]
	switch {
	case ok:
		n, err := parseNetwork(name, "annotation "+networkAnnotation)
		return n, "annotation " + networkAnnotation, err
	case found == nil:
		return Network{}, field, nil
	case found.Path == "" && b.saysNetworkByParameters():
		b.ignore("linux.namespaces[network]")
		return Network{}, field, nil
	case found.Path == "":
		return Network{Mode: NetworkPrivate}, field, nil
	}
	n, err := parseNetwork(found.Path, field)
	return n, field, err
}

// saysNetworkByParameters reports whether the client has the network in parameters and the
// parent jail alone: podman leaves the namespaces of a Linux specification as its library
// has them, whatever network was asked for.
func (b *builder) saysNetworkByParameters() bool {
	return b.plan.Parent != "" || b.spec.Annotations[managerAnnotation] == podman
}

// managerAnnotation names the client; podman's value is that of its library.
const (
	managerAnnotation = "io.container.manager"
	podman            = "libpod"
)

// namespaces finds the network namespace; nil if there is none.
func (b *builder) namespaces() (*specs.LinuxNamespace, error) {
	if b.spec.Linux == nil {
		return nil, nil
	}
	var found *specs.LinuxNamespace
	for i, n := range b.spec.Linux.Namespaces {
		switch {
		case n.Type == specs.NetworkNamespace && found != nil:
			return nil, invalid("linux.namespaces", "the network namespace is there twice")
		case n.Type == specs.NetworkNamespace:
			found = &b.spec.Linux.Namespaces[i]
		case n.Type == specs.UTSNamespace: // of host names: see defaultHost
		case ignoredNamespaces[string(n.Type)]:
			b.ignore("linux.namespaces[" + string(n.Type) + "]")
		default:
			return nil, invalid("linux.namespaces", "there is no namespace %q", n.Type)
		}
	}
	return found, nil
}

func parseNetwork(name, field string) (Network, error) {
	switch name {
	case "":
		return Network{}, invalid(field, "host, none, the name of a network or jail:NAME is allowed")
	case "host":
		return Network{}, nil
	case "none":
		return Network{Mode: NetworkPrivate}, nil
	}
	n := Network{Mode: NetworkNamed, Name: name}
	if jail, ok := strings.CutPrefix(name, jailNetwork); ok {
		if why := checkJailName(jail); why != "" {
			return Network{}, invalid(field, "%q: %s", name, why)
		}
		return n, nil
	}
	if name[0] == '/' {
		return n, nil
	}
	if !wordChar(name[0]) || !plain(strings.NewReplacer(".", "_", "-", "_").Replace(name)) || len(name) > maxNetwork {
		return Network{}, invalid(field, "%q is no name of a network: letters, digits, \"_\", \".\" and \"-\" make one", name)
	}
	return n, nil
}

// settle lets a network that the annotation names win over what the
// specification says of the stack; what other annotations say must agree.
func (b *builder) settle(n Network, field string) error {
	for _, name := range []string{"vnet", "ip4", "ip4.addr", "ip6", "ip6.addr"} {
		s, ok := b.params.set[name]
		if !ok || name == "vnet" && n.OwnStack() == (s.value.text == "new") || name != "vnet" && !n.OwnStack() {
			continue
		}
		if s.rank == byAnnotation {
			return invalid(s.field, "%q does not go with %s, %q", s.value.text, field, b.spec.Annotations[networkAnnotation])
		}
		b.params.drop(name)
	}
	return nil
}

func (b *builder) setsAddresses() bool {
	p := b.params
	return p.has("ip4") || p.has("ip4.addr") || p.has("ip6") || p.has("ip6.addr")
}
