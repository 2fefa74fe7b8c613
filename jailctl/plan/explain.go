package plan

import (
	"bytes"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"

	"jailshim/jailctl/kernel"
	"jailshim/netsetup/port"
)

// Explain writes the plan for people: what would be made, in the order in which
// it would be made.
func (p *Plan) Explain(w io.Writer) error {
	e := &explainer{}
	e.line("jail", p.Name)
	if p.Parent != "" {
		e.line("parent", p.Parent)
	}
	if p.Linux {
		e.line("programs", "Linux")
	}
	if len(p.Modules) > 0 {
		e.line("modules", strings.Join(p.Modules, " "))
	}
	root := p.Root.Path
	if p.Root.Readonly {
		root += " (read-only)"
	}
	e.line("root", root)
	e.section("parameters")
	for _, param := range p.Params {
		e.item(renderParam(param))
	}
	e.mounts(p)
	e.network(&p.Network)
	e.process(&p.Process)
	e.limits(&p.Limits)
	if p.Hooks != nil {
		e.section("hooks")
		for _, point := range hookPoints(p.Hooks) {
			for _, h := range point.hooks {
				text := point.name + " " + h.Path
				if h.Timeout != nil {
					text += fmt.Sprintf(" (at most %d s)", *h.Timeout)
				}
				e.item(text)
			}
		}
	}
	if len(p.Ignored) > 0 {
		e.section("ignored")
		for _, s := range p.Ignored {
			e.item(s)
		}
	}
	_, err := w.Write(e.out.Bytes())
	return err
}

// explainer collects the text: headings at the margin, their items below.
type explainer struct{ out bytes.Buffer }

func (e *explainer) line(name, text string) { fmt.Fprintf(&e.out, "%s: %s\n", name, text) }
func (e *explainer) section(name string)    { fmt.Fprintf(&e.out, "%s:\n", name) }
func (e *explainer) item(text string)       { fmt.Fprintf(&e.out, "  %s\n", text) }

func (e *explainer) mounts(p *Plan) {
	if len(p.Mounts) > 0 {
		e.section("mounts")
	}
	for _, m := range p.Mounts {
		text := m.Type
		switch m.Type {
		case "nullfs", "zfs", "unionfs":
			text += " " + quote(m.Source)
		}
		text += " on " + quote(m.Target)
		if o := m.options(); len(o) > 0 {
			text += " (" + strings.Join(o, ", ") + ")"
		}
		e.item(text + "  # " + m.From)
	}
	if rules := p.DevRules(); len(rules) > 0 {
		e.section("devices")
		for _, r := range rules {
			text := quote(r.Pattern)
			if r.Mode != nil {
				text += fmt.Sprintf(" mode %04o", *r.Mode)
			}
			e.item(text)
		}
	}
}

// flagNames are the flags that options set, in the order in which mount(8) lists
// them.
var flagNames = []struct {
	flag int
	name string
}{
	{kernel.MountReadOnly, "ro"},
	{kernel.MountNoSUID, "nosuid"},
	{kernel.MountNoExec, "noexec"},
	{kernel.MountNoATime, "noatime"},
	{kernel.MountSynchronous, "sync"},
	{kernel.MountAsync, "async"},
	{kernel.MountNoSymFollow, "nosymfollow"},
	{kernel.MountUnion, "union"},
}

func (m *Mount) options() []string {
	var out []string
	for _, f := range flagNames {
		if m.Flags&f.flag != 0 {
			out = append(out, f.name)
		}
	}
	for _, o := range m.Options {
		if o.HasValue {
			out = append(out, o.Name+"="+o.Value)
		} else {
			out = append(out, o.Name)
		}
	}
	if m.CopyUp {
		out = append(out, "with what the image has there")
	}
	return out
}

func (e *explainer) network(n *Network) {
	switch {
	case n.Mode == NetworkNamed:
		e.line("network", n.Name)
	case n.Mode == NetworkHost && len(n.IP4)+len(n.IP6) > 0:
		e.line("network", "host, restricted to addresses")
	default:
		e.line("network", n.Mode.String())
	}
	for _, a := range append(append([]netip.Addr(nil), n.IP4...), n.IP6...) {
		text := a.String()
		if n.Interface != "" {
			text += " added to " + n.Interface
		}
		e.item(text)
	}
	for _, name := range n.Interfaces {
		e.item(name + " moves into the jail")
	}
	if n.Own() {
		e.place(&n.Place)
	}
}

func (e *explainer) place(p *Place) {
	e.item("found as " + strings.Join(p.Names, ", "))
	for _, a := range []netip.Addr{p.IPv4, p.IPv6} {
		if a.IsValid() {
			e.item("address " + a.String())
		}
	}
	if len(p.MAC) > 0 {
		e.item("Ethernet address " + p.MAC.String())
	}
	if len(p.Ports) > 0 {
		e.item("ports " + port.Format(p.Ports))
	}
	if p.PortsFile != "" {
		e.item("ports in " + quote(p.PortsFile))
	}
	for _, h := range p.Hosts {
		e.item("knows " + h.Addr.String() + " as " + strings.Join(h.Names, " "))
	}
	for _, f := range []struct {
		path string
		own  bool
	}{{HostsPath, p.OwnHosts}, {ResolverPath, p.OwnResolver}} {
		if !f.own {
			e.item(f.path + " is the network's")
		}
	}
}

func (e *explainer) process(p *Process) {
	e.section("process")
	args := make([]string, len(p.Args))
	for i, a := range p.Args {
		args[i] = quote(a)
	}
	e.item("args " + strings.Join(args, " "))
	e.item("cwd " + quote(p.Cwd))
	user := fmt.Sprintf("user %d group %d", p.UID, p.GID)
	for i, g := range p.Groups {
		if i == 0 {
			user += " and"
		}
		user += " " + strconv.Itoa(g)
	}
	e.item(user)
	if p.Umask != nil {
		e.item(fmt.Sprintf("umask %04o", *p.Umask))
	}
	for _, v := range p.Env {
		e.item("env " + quote(v))
	}
	for _, l := range p.Rlimits {
		e.item(fmt.Sprintf("%s %s %s", l.Name, amount(l.Soft), amount(l.Hard)))
	}
	if p.Terminal {
		text := "terminal"
		if p.Rows != 0 || p.Cols != 0 {
			text += fmt.Sprintf(" of %d rows, %d columns", p.Rows, p.Cols)
		}
		e.item(text)
	}
	if p.NoNewPrivs {
		e.item("no new privileges")
	}
	if p.LoginClass != "" {
		e.item("login class " + p.LoginClass)
	}
}

func (e *explainer) limits(l *Limits) {
	if len(l.Rules) == 0 && l.CPUs == "" && l.Mems == "" {
		return
	}
	e.section("limits")
	for _, r := range l.Rules {
		e.item(fmt.Sprintf("%s:%s=%d", r.Resource, r.Action, r.Amount))
	}
	if l.CPUs != "" {
		e.item("processors " + l.CPUs)
	}
	if l.Mems != "" {
		e.item("memory domains " + l.Mems)
	}
}

func amount(n uint64) string {
	if n == ^uint64(0) {
		return "unlimited"
	}
	return strconv.FormatUint(n, 10)
}

// quote makes a text one word, and harmless to a terminal.
func quote(s string) string {
	if s == "" || strings.ContainsAny(s, " #'\"\\()") || strconv.Quote(s) != `"`+s+`"` {
		return strconv.Quote(s)
	}
	return s
}

// renderParam writes a parameter as jail.conf(5) has it. The kind of one that
// FreeBSD 15.1 doesn't know is told by the form of its value.
func renderParam(p kernel.Param) string {
	if p.Value == nil {
		return p.Name
	}
	kind := kernel.BuiltinParams()[p.Name].Kind
	if m, ok := moduleParams[p.Name]; ok {
		kind = m.kind
	}
	return p.Name + "=" + renderValue(kind, p.Value)
}

func renderValue(kind kernel.Kind, b []byte) string {
	switch kind {
	case kernel.KindJailsys:
		if n, err := kernel.DecodeInt(b); err == nil {
			switch n {
			case kernel.New:
				return "new"
			case kernel.Inherit:
				return "inherit"
			case kernel.Disable:
				return "disable"
			}
		}
	case kernel.KindULong:
		if n, err := kernel.DecodeULong(b); err == nil {
			return strconv.FormatUint(n, 10)
		}
	case kernel.KindIPv4, kernel.KindIPv6:
		size := map[kernel.Kind]int{kernel.KindIPv4: 4, kernel.KindIPv6: 16}[kind]
		if addrs, err := kernel.DecodeAddrs(b, size); err == nil {
			var out []string
			for _, a := range addrs {
				out = append(out, a.String())
			}
			return strings.Join(out, ",")
		}
	}
	if len(b) > 0 && b[len(b)-1] == 0 && kind != kernel.KindInt {
		return quote(kernel.DecodeString(b))
	}
	if n, err := kernel.DecodeInt(b); err == nil {
		return strconv.Itoa(int(n))
	}
	return fmt.Sprintf("%x", b)
}
