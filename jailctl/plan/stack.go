package plan

import "strings"

// maxInterface is IFNAMSIZ without its NUL.
const maxInterface = 15

// ownStack makes the jail one with a VNET. Addresses then belong to its
// interfaces: the kernel refuses to restrict it to some.
func (b *builder) ownStack() error {
	p := b.params
	for _, name := range []string{"ip4", "ip4.addr", "ip6", "ip6.addr"} {
		if s, ok := p.set[name]; ok {
			return invalid(s.field, "%q can't be set for a network stack of its own, which %s \"new\" asks for", s.value.text, p.set["vnet"].field)
		}
	}
	if p.has("vnet") {
		return nil
	}
	return p.put("vnet", "new", "network", byDefault)
}

// sharedStack gives the jail the addresses of the host, or some. As soon as one
// family is spoken of, the other one is what it says too, and nothing if it says
// nothing: who allows one address doesn't mean all of the other family.
func (b *builder) sharedStack() error {
	p := b.params
	asked := b.setsAddresses()
	for _, family := range []string{"ip4", "ip6"} {
		addrs, mode := p.set[family+".addr"], p.set[family]
		switch {
		case p.has(family+".addr") && mode.value.text == "disable":
			return invalid(addrs.field, "%q can't be set while %s is \"disable\"", addrs.value.text, mode.field)
		case p.has(family + ".addr"):
			// The kernel takes the addresses whatever the mode says; "new" is
			// what it answers when asked.
			p.drop(family)
			if err := p.put(family, "new", addrs.field, byDefault); err != nil {
				return err
			}
		case !p.has(family):
			text := "inherit"
			if asked {
				text = "disable"
			}
			if err := p.put(family, text, "default", byDefault); err != nil {
				return err
			}
		}
	}
	b.plan.Network.IP4, b.plan.Network.IP6 = p.set["ip4.addr"].value.addrs, p.set["ip6.addr"].value.addrs
	return nil
}

// interfaces checks and takes over the names of interfaces.
func (b *builder) interfaces() error {
	j, n := b.jail(), &b.plan.Network
	if j.Interface != "" {
		if why := checkInterface(j.Interface); why != "" {
			return invalid("freebsd.jail.interface", "%q: %s", j.Interface, why)
		}
		if len(n.IP4)+len(n.IP6) == 0 {
			return invalid("freebsd.jail.interface", "%q would get no address: set ip4Addr or ip6Addr", j.Interface)
		}
	}
	for i, name := range j.VnetInterfaces {
		if why := checkInterface(name); why != "" {
			return invalid("freebsd.jail.vnetInterfaces", "%q: %s", name, why)
		}
		for _, other := range j.VnetInterfaces[:i] {
			if name == other {
				return invalid("freebsd.jail.vnetInterfaces", "%q is there twice", name)
			}
		}
	}
	if len(j.VnetInterfaces) > 0 && !n.OwnStack() {
		return invalid("freebsd.jail.vnetInterfaces", "the container has no network stack of its own (the network is %s): set freebsd.jail.vnet to \"new\"", n.Mode)
	}
	n.Interface, n.Interfaces = j.Interface, j.VnetInterfaces
	return nil
}

func checkInterface(name string) string {
	switch {
	case name == "":
		return "an interface has a name"
	case len(name) > maxInterface:
		return "no interface has a name that long"
	case strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == '/' || r >= 0x7f }):
		return "no interface has such a name"
	}
	return ""
}
