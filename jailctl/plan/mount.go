package plan

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"jailshim/jailctl/kernel"
)

// defaultRuleset is the one that FreeBSD makes for jails, in
// /etc/defaults/devfs.rules.
const defaultRuleset = 4

// maxFSName is the most bytes that the name of a file system may have.
const maxFSName = 15

// isFSName tells names of file systems: another one would be taken by the kernel as the
// path of a module to load. (A regular expression would be shorter, and its package makes
// tables whenever a process starts, which in jailctl is for every command.)
func isFSName(s string) bool {
	return s != "" && len(s) <= maxFSName && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

// mounts plans the specification's mounts, in its order. A Linux container gets
// those it can't do without.
func (b *builder) mounts() error {
	for i, m := range b.spec.Mounts {
		from := fmt.Sprintf("mounts[%d]", i)
		planned, err := b.mount(m, from)
		if err != nil {
			return err
		}
		if planned == nil {
			b.ignore(fmt.Sprintf("%s (%s on %s)", from, m.Type, target(m.Destination)))
			continue
		}
		planned.From = from
		b.plan.Mounts = append(b.plan.Mounts, *planned)
	}
	if b.plan.Linux {
		b.linuxMounts()
	}
	return nil
}

// mount plans one mount; nil if it is one of those that are ignored.
func (b *builder) mount(m specs.Mount, from string) (*Mount, error) {
	if b.plan.Linux {
		m.Type = b.linuxType(m)
		if m.Type == "" {
			return nil, nil
		}
	}
	if ignoredMounts[m.Type] {
		return nil, nil
	}
	planned, rules, err := newMount(m, from)
	if err != nil {
		return nil, err
	}
	if planned.Target == "/" {
		return nil, invalid(from+".destination", "%q is the root itself, which root.path names", m.Destination)
	}
	if keep, err := b.inDev(planned, from); !keep {
		return nil, err
	}
	switch planned.Type {
	case "nullfs", "unionfs":
		planned.Source = b.fromBundle(planned.Source)
		if !filepath.IsAbs(planned.Source) {
			return nil, invalid(from+".source", "%q: neither it nor the bundle is absolute", m.Source)
		}
	case "devfs":
		if planned.Ruleset == 0 {
			planned.setRuleset(b.wantedRuleset())
		}
		if len(rules) > 0 && planned.Target != "/dev" {
			return nil, invalid(from+".options", "devices can appear in the mount on /dev only, and this one is on %s", planned.Target)
		}
		b.plan.Devices = append(b.plan.Devices, rules...)
	case "fdescfs":
		if b.plan.Linux && !planned.has("linrdlnk") {
			// Linux programs read the links in /dev/fd.
			planned.Options = append(planned.Options, kernel.MountOption{Name: "linrdlnk"})
		}
	}
	return planned, nil
}

// NewMount translates a single mount, as for a root file system that a
// snapshotter describes. Nothing of it is ignored but options; sources of nullfs
// must be absolute.
func NewMount(m specs.Mount) (Mount, error) {
	planned, rules, err := newMount(m, "mount")
	switch {
	case err != nil:
		return Mount{}, err
	case len(rules) > 0:
		return Mount{}, invalid("mount.options", "rule is for a container's /dev")
	case (planned.Type == "nullfs" || planned.Type == "unionfs") && !filepath.IsAbs(planned.Source):
		return Mount{}, invalid("mount.source", "%q is no absolute path", m.Source)
	case planned.Type == "devfs" && planned.Ruleset == 0:
		planned.setRuleset(defaultRuleset)
	}
	planned.From = "mount"
	return *planned, nil
}

// newMount translates type, source, target and options.
func newMount(m specs.Mount, from string) (*Mount, []Device, error) {
	fstype, err := mountType(m, from)
	if err != nil {
		return nil, nil, err
	}
	if m.Destination == "" || strings.ContainsRune(m.Destination, 0) {
		return nil, nil, invalid(from+".destination", "%q is no path", m.Destination)
	}
	o, err := parseOptions(fstype, m.Options)
	if err != nil {
		return nil, nil, invalid(from+".options", "%v", err)
	}
	planned := &Mount{
		Type: fstype, Source: m.Source, Target: target(m.Destination),
		Options: o.options, Flags: o.flags, Ruleset: o.ruleset, CopyUp: o.copyUp,
	}
	switch fstype {
	case "nullfs", "unionfs", "zfs":
		if m.Source == "" || strings.ContainsRune(m.Source, 0) {
			return nil, nil, invalid(from+".source", "%q: %s needs one", m.Source, fstype)
		}
	}
	return planned, o.rules, nil
}

// target makes a destination absolute: the runtime specification takes a relative
// one as relative to the root. ".." does not lead out of it.
func target(destination string) string { return path.Clean("/" + destination) }

// mountType is the file system that a mount means.
func mountType(m specs.Mount, from string) (string, error) {
	bind := slices.Contains(m.Options, "bind") || slices.Contains(m.Options, "rbind")
	switch {
	case m.Type == "bind", bind && (m.Type == "" || m.Type == "none"):
		return "nullfs", nil
	case m.Type == "" && strings.Contains(m.Source, "/"):
		return "nullfs", nil // as ocijail has it
	case m.Type == "" || m.Type == "none":
		return "", invalid(from+".type", "%q: the name of a file system is missing", m.Type)
	case !isFSName(m.Type):
		return "", invalid(from+".type", "%q is no name of a file system", m.Type)
	}
	return m.Type, nil
}

// inDev reports whether a mount that lies in a devfs can be made: nothing can be
// created there, so only what has a place by itself.
func (b *builder) inDev(m *Mount, from string) (keep bool, err error) {
	if !strings.HasPrefix(m.Target, "/dev/") || !b.hasDevfs() {
		return true, nil
	}
	switch {
	case m.Type == "fdescfs" && m.Target == "/dev/fd":
		return true, nil
	case b.plan.Linux && m.Target == "/dev/shm":
		return true, nil // the linuxulator makes the place
	case ignoredInDev[m.Target] == m.Type:
		return false, nil
	}
	return false, invalid(from+".destination", "%q: nothing can be made in the devfs on /dev; list device nodes in freebsd.devices", m.Target)
}

// hasDevfs reports whether the specification mounts a devfs on /dev.
func (b *builder) hasDevfs() bool {
	return slices.ContainsFunc(b.spec.Mounts, func(m specs.Mount) bool { return m.Type == "devfs" && target(m.Destination) == "/dev" })
}

// wantedRuleset is the devfs ruleset for mounts that don't say one.
func (b *builder) wantedRuleset() int {
	if n, err := strconv.Atoi(b.params.get("devfs_ruleset")); err == nil && n > 0 {
		return n
	}
	return defaultRuleset
}

// ruleset is the one of the mount on /dev, or the default.
func (b *builder) ruleset() int {
	if m := b.plan.dev(); m != nil {
		return m.Ruleset
	}
	return defaultRuleset
}

func (m *Mount) setRuleset(n int) {
	m.Ruleset = n
	m.Options = append(m.Options, kernel.MountOption{Name: "ruleset", Value: strconv.Itoa(n), HasValue: true})
}

func (m *Mount) has(option string) bool {
	return slices.ContainsFunc(m.Options, func(o kernel.MountOption) bool { return o.Name == option })
}

// dev is the devfs on /dev, nil if there is none.
func (p *Plan) dev() *Mount {
	for i := range p.Mounts {
		if p.Mounts[i].Type == "devfs" && p.Mounts[i].Target == "/dev" {
			return &p.Mounts[i]
		}
	}
	return nil
}
