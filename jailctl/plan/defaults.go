package plan

import (
	"slices"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// maxHostname keeps a host name made from an id within what programs expect.
const maxHostname = 63

// defaults sets what nobody asked for: what the runtime specification says, and
// what a container can't do without.
func (b *builder) defaults() error {
	if err := b.defaultHost(); err != nil {
		return err
	}
	p := b.params
	statfs := 2
	if b.allowMount() || b.plan.Linux {
		statfs = 1
	}
	parent, known := b.parentJail()
	if known {
		statfs = max(statfs, parent.Statfs)
	}
	list := [][2]string{
		{"enforce_statfs", strconv.Itoa(statfs)},
		// Without it a process that may mount devfs would see every device.
		{"devfs_ruleset", strconv.Itoa(b.ruleset())},
	}
	// A jail can have no more of it than its parent, which may have none.
	if !p.has("allow.sysvipc") && b.plan.Parent == "" {
		list = append(list, [][2]string{{"sysvmsg", "new"}, {"sysvsem", "new"}, {"sysvshm", "new"}}...)
	}
	if p.get("vnet") == "new" && p.get("host") == "new" {
		list = append(list, [2]string{"host.hostuuid", hostUUID(b.config.Namespace, b.config.ID)})
	}
	for _, d := range list {
		if err := p.defaultTo(d[0], d[1]); err != nil {
			return err
		}
	}
	if b.plan.Linux && !p.has("linux") {
		if err := p.put("linux", "new", "Linux containers", byDefault); err != nil {
			return err
		}
	}
	raw := b.ownNetwork(parent, known)
	if b.spec.Process.Capabilities == nil && b.config.Namespace == "" {
		return b.allowedAsUsual(raw, b.plan.Parent == "" || known && parent.Chflags)
	}
	return b.allowedBy(raw)
}

// parentJail returns what limits the jail, if it has a parent that is known.
func (b *builder) parentJail() (Parent, bool) {
	if b.plan.Parent == "" || b.config.Facts.Jail == nil {
		return Parent{}, false
	}
	return b.config.Facts.Jail(b.plan.Parent)
}

// ownNetwork reports whether raw sockets reach no network stack but the container's or its
// pod's, and the jail can have them: no more than its parent.
func (b *builder) ownNetwork(parent Parent, known bool) bool {
	own := b.params.get("vnet") == "new"
	if b.plan.Parent == "" || b.config.Facts.Jail == nil {
		return own
	}
	return known && parent.RawSockets && (own || parent.VNET)
}

// allowedAsUsual gives the jail what podman and buildah count on and don't ask for, because
// ocijail gives it to all: they say no capabilities on FreeBSD.
func (b *builder) allowedAsUsual(raw, chflags bool) error {
	if chflags {
		if err := b.params.defaultTo("allow.chflags", "true"); err != nil {
			return err
		}
	}
	if raw {
		return b.params.defaultTo("allow.raw_sockets", "true")
	}
	return nil
}

// allowMount reports whether the jail may mount something, and sees to it that
// it can: allow.mount.zfs has no effect without allow.mount, which alone allows
// nothing.
func (b *builder) allowMount() bool {
	p := b.params
	for name := range p.set {
		if strings.HasPrefix(name, "allow.mount.") && p.isTrue(name) && !p.has("allow.mount") {
			p.set["allow.mount"] = setting{value: value{kind: p.set[name].value.kind, text: "true", num: 1}, field: p.set[name].field, rank: byDefault}
			return true
		}
	}
	return p.isTrue("allow.mount")
}

// defaultHost gives the jail a host name: nearly every client leaves that to the
// runtime for some containers.
func (b *builder) defaultHost() error {
	p := b.params
	if p.has("host") && p.get("host") != "new" {
		return nil
	}
	if !p.has("host.hostname") {
		if !p.has("host") && b.sharesHostName() {
			return p.defaultTo("host", "inherit")
		}
		if err := p.defaultTo("host.hostname", b.hostname()); err != nil {
			return err
		}
	}
	return p.defaultTo("host", "new")
}

// sharesHostName reports whether the specification has namespaces, and none for
// host names: then the container has its host's.
func (b *builder) sharesHostName() bool {
	if b.spec.Linux == nil || len(b.spec.Linux.Namespaces) == 0 || b.params.has("host.domainname") {
		return false
	}
	return !slices.ContainsFunc(b.spec.Linux.Namespaces, func(n specs.LinuxNamespace) bool { return n.Type == specs.UTSNamespace })
}

// hostname is the name that CRI sends in the environment only, or the id.
func (b *builder) hostname() string {
	for _, e := range slices.Backward(b.plan.Process.Env) {
		if name, ok := strings.CutPrefix(e, "HOSTNAME="); ok && name != "" && len(name) <= maxJailName {
			return name
		}
	}
	return cut(b.config.ID, maxHostname)
}

// allowedBy gives the jail what capabilities in the bounding set ask for. The
// table is in the package's documentation.
func (b *builder) allowedBy(raw bool) error {
	c := b.spec.Process.Capabilities
	if c == nil {
		return nil
	}
	have := c.Bounding
	if len(have) == 0 {
		have = c.Effective
	}
	if raw && slices.Contains(have, "CAP_NET_RAW") {
		if err := b.params.defaultTo("allow.raw_sockets", "true"); err != nil {
			return err
		}
	}
	if slices.Contains(have, "CAP_IPC_LOCK") {
		return b.params.defaultTo("allow.mlock", "true")
	}
	return nil
}
