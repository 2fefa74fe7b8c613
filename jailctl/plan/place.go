package plan

import (
	"encoding/json"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"

	"jailshim/jailctl/kernel"
	"jailshim/netsetup/names"
	"jailshim/netsetup/port"
)

// Annotations about a container's place in a network.
const (
	portsAnnotation     = "io.containerd.jail.ports"     // "8080:80/tcp,…"; see [port.Parse]
	addressesAnnotation = "io.containerd.jail.addresses" // one of each family at most: "10.88.0.9,fd00:88::9"
	macAnnotation       = "io.containerd.jail.mac"       // of its interface
)

// Annotations that nerdctl makes of its options; those about networks have no effect
// by themselves where nerdctl makes no networks.
const (
	nerdctlName     = "nerdctl/name"
	nerdctlStateDir = "nerdctl/state-dir"
	nerdctlHosts    = "nerdctl/extraHosts" // --add-host: ["name:address"]
	nerdctlDNS      = "nerdctl/dns"        // --dns, --dns-search, --dns-option
	nerdctlIP       = "nerdctl/ip"
	nerdctlIP6      = "nerdctl/ip6"
	nerdctlMAC      = "nerdctl/mac-address"
	nerdctlPorts    = "nerdctl/ports" // until 2.1; see Place.PortsFile
)

// Paths of the files by which containers find others.
const (
	HostsPath    = "/etc/hosts"
	ResolverPath = "/etc/resolv.conf"
)

// Place is what a container wants of the network that it names. Zero values leave the
// choice to the network.
type Place struct {
	Names      []string     // under which others find it, the host name first
	Hosts      []names.Host // lines that only its own hosts file has
	IPv4, IPv6 netip.Addr
	MAC        net.HardwareAddr
	Ports      []port.Mapping
	// PortsFile, if not empty, is where nerdctl has written its -p options down, if
	// there were any; see [port.ParseNerdctl].
	PortsFile string
	// OwnHosts and OwnResolver: the client brings /etc/hosts, /etc/resolv.conf. Else
	// they are the network's.
	OwnHosts, OwnResolver bool
}

// place plans the container's place in the network that it names.
func (b *builder) place() error {
	n := &b.plan.Network
	if !n.Own() {
		for _, key := range []string{portsAnnotation, addressesAnnotation, macAnnotation} {
			if _, ok := b.spec.Annotations[key]; ok {
				return invalid("annotation "+key, "the container is on no network that could give it that: the annotation %s names one", networkAnnotation)
			}
		}
		return nil
	}
	for _, step := range []func(*Place) error{b.ports, b.addresses, b.extraHosts} {
		if err := step(&n.Place); err != nil {
			return err
		}
	}
	n.Place.Names = b.names()
	return b.nameFiles(&n.Place)
}

func (b *builder) ports(p *Place) (err error) {
	if text, ok := b.spec.Annotations[portsAnnotation]; ok {
		if p.Ports, err = port.Parse(text); err != nil {
			return invalid("annotation "+portsAnnotation, "%v", err)
		}
		return nil
	}
	if text, ok := b.spec.Annotations[nerdctlPorts]; ok {
		if p.Ports, err = port.ParseNerdctl(text); err != nil {
			return invalid("annotation "+nerdctlPorts, "%v", err)
		}
		return nil
	}
	if dir := b.spec.Annotations[nerdctlStateDir]; filepath.IsAbs(dir) {
		p.PortsFile = filepath.Join(dir, "network-config.json")
	}
	return nil
}

func (b *builder) addresses(p *Place) error {
	key, text := addressesAnnotation, b.spec.Annotations[addressesAnnotation]
	if text == "" {
		key = nerdctlIP
		text = strings.Join([]string{b.spec.Annotations[nerdctlIP], b.spec.Annotations[nerdctlIP6]}, ",")
	}
	for word := range strings.SplitSeq(text, ",") {
		if word = strings.TrimSpace(word); word == "" {
			continue
		}
		a, err := netip.ParseAddr(word)
		if err != nil || a.Zone() != "" || a.Is4In6() {
			return invalid("annotation "+key, "%q is no address", word)
		}
		own := &p.IPv6
		if a.Is4() {
			own = &p.IPv4
		}
		if own.IsValid() {
			return invalid("annotation "+key, "%s and %s: a container has one address of a family", *own, a)
		}
		*own = a
	}
	key, text = macAnnotation, b.spec.Annotations[macAnnotation]
	if text == "" {
		key, text = nerdctlMAC, b.spec.Annotations[nerdctlMAC]
	}
	if text == "" {
		return nil
	}
	mac, err := net.ParseMAC(text)
	if err != nil || len(mac) != 6 || mac[0]&1 != 0 {
		return invalid("annotation "+key, "%q is no Ethernet address of one host, such as 02:00:5e:10:00:01", text)
	}
	p.MAC = mac
	return nil
}

func (b *builder) extraHosts(p *Place) error {
	text := b.spec.Annotations[nerdctlHosts]
	if text == "" {
		return nil
	}
	var list []string
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return invalid("annotation "+nerdctlHosts, "%v", err)
	}
	for _, l := range list {
		name, addr, _ := strings.Cut(l, ":")
		a, err := netip.ParseAddr(strings.Trim(addr, "[]"))
		if err == nil {
			err = names.CheckName(name)
		}
		if err != nil {
			return invalid("annotation "+nerdctlHosts, "%q: %v", l, err)
		}
		p.Hosts = append(p.Hosts, names.Host{Addr: a, Names: []string{name}})
	}
	return nil
}

// shortID is how long the id is under which Docker's users find a container.
const shortID = 12

// names are those under which others find the container: its host name, the name that
// a client gave it, and its id.
func (b *builder) names() []string {
	id := b.config.ID
	if len(id) == 64 && strings.Trim(id, "0123456789abcdef") == "" {
		id = id[:shortID]
	}
	var all []string
	for _, name := range []string{b.params.get("host.hostname"), b.spec.Annotations[nerdctlName], id} {
		if names.CheckName(name) == nil && !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}

// nameFiles decides who brings the files by which the container finds others. What a
// client copied from the host's is no answer on another network.
func (b *builder) nameFiles(p *Place) error {
	copies := map[string]bool{}
	if dir := b.spec.Annotations[nerdctlStateDir]; dir != "" {
		// …/containers/NAMESPACE/ID, and …/etchosts/NAMESPACE/ID
		base, own := filepath.Dir(filepath.Dir(filepath.Dir(dir))), filepath.Join(filepath.Base(filepath.Dir(dir)), filepath.Base(dir))
		copies[filepath.Join(base, "etchosts", own, "hosts")] = true
		asked, err := b.asksForResolver()
		if err != nil {
			return err
		}
		copies[filepath.Join(dir, "resolv.conf")] = !asked
	}
	b.plan.Mounts = slices.DeleteFunc(b.plan.Mounts, func(m Mount) bool {
		return (m.Target == HostsPath || m.Target == ResolverPath) && copies[m.Source]
	})
	brings := func(path string) bool {
		return slices.ContainsFunc(b.plan.Mounts, func(m Mount) bool {
			return m.Target == path || strings.HasPrefix(path, m.Target+"/")
		})
	}
	p.OwnHosts, p.OwnResolver = brings(HostsPath), brings(ResolverPath)
	return nil
}

// asksForResolver tells whether nerdctl's user said what is to be in resolv.conf.
func (b *builder) asksForResolver() (bool, error) {
	var dns struct{ DNSServers, DNSResolvConfOptions, DNSSearchDomains []string }
	text := b.spec.Annotations[nerdctlDNS]
	if text == "" {
		return false, nil
	}
	if err := json.Unmarshal([]byte(text), &dns); err != nil {
		return false, invalid("annotation "+nerdctlDNS, "%v", err)
	}
	return len(dns.DNSServers)+len(dns.DNSResolvConfOptions)+len(dns.DNSSearchDomains) > 0, nil
}

// NameFile is the mount of a file that the network provides.
func NameFile(source, target, network string) Mount {
	return Mount{
		Type: "nullfs", Source: source, Target: target, File: true,
		Flags: kernel.MountReadOnly | kernel.MountNoSUID, From: "network " + network,
	}
}
