package plan

import (
	"path"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"jailshim/jailctl/kernel"
)

// linuxModules are what the linuxulator consists of. pty has the /dev/ptmx that
// Linux programs open.
var linuxModules = []string{"linux64", "fdescfs", "linprocfs", "linsysfs", "pty"}

// defaultPath is where a program is looked for when the environment has no PATH.
const defaultPath = "/sbin:/bin:/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin"

// detectLinux finds out whether the container runs Linux programs: the caller
// knows the image's platform, containerd adds a linprocfs for such images, or the
// program's brand says so.
func (b *builder) detectLinux() error {
	linux := b.config.Linux || slices.ContainsFunc(b.spec.Mounts, func(m specs.Mount) bool { return m.Type == "linprocfs" })
	if !linux && b.config.Facts.Linux != nil {
		linux = slices.ContainsFunc(b.plan.Process.Programs(), b.config.Facts.Linux)
	}
	if !linux {
		return nil
	}
	b.plan.Linux = true
	for _, m := range linuxModules {
		b.module(m)
	}
	return nil
}

// Programs are the paths in the container where the process's program may be.
func (p *Process) Programs() []string {
	name := p.Args[0]
	if strings.Contains(name, "/") {
		if !path.IsAbs(name) {
			name = path.Join(p.Cwd, name)
		}
		return []string{path.Clean(name)}
	}
	search := defaultPath
	for _, e := range p.Env {
		if v, ok := strings.CutPrefix(e, "PATH="); ok {
			search = v
		}
	}
	var out []string
	for dir := range strings.SplitSeq(search, ":") {
		if !path.IsAbs(dir) {
			dir = path.Join(p.Cwd, dir)
		}
		out = append(out, path.Join(dir, name))
	}
	return out
}

// linuxType is the file system that does in a Linux container what a mount asks
// for; "" if it is there already.
func (b *builder) linuxType(m specs.Mount) string {
	translated := map[string]string{"proc": "linprocfs", "sysfs": "linsysfs"}[m.Type]
	if translated == "" {
		return m.Type
	}
	if slices.ContainsFunc(b.spec.Mounts, func(o specs.Mount) bool {
		return o.Type == translated && target(o.Destination) == target(m.Destination)
	}) {
		return ""
	}
	return translated
}

// linuxMounts adds the mounts that Linux programs take for granted, where the
// specification has nothing. /proc and /sys come first, since others may lie on
// them; what lies in /dev comes after it, and only if /dev is a devfs.
func (b *builder) linuxMounts() {
	p := &b.plan
	var first []Mount
	for _, m := range []Mount{
		{Type: "linprocfs", Source: "linprocfs", Target: "/proc"},
		{Type: "linsysfs", Source: "linsysfs", Target: "/sys"},
	} {
		if !p.mountsOn(m.Target) {
			m.From = "Linux containers have " + m.Target
			m.Flags = kernel.MountNoSUID | kernel.MountNoExec
			first = append(first, m)
		}
	}
	p.Mounts = append(first, p.Mounts...)
	i := slices.IndexFunc(p.Mounts, func(m Mount) bool { return m.Type == "devfs" && m.Target == "/dev" })
	if i < 0 {
		return
	}
	var inDev []Mount
	for _, m := range []Mount{
		{Type: "fdescfs", Source: "fdescfs", Target: "/dev/fd", Options: []kernel.MountOption{{Name: "linrdlnk"}}},
		{Type: "tmpfs", Source: "tmpfs", Target: "/dev/shm", Flags: kernel.MountNoSUID,
			Options: []kernel.MountOption{{Name: "mode", Value: "1777", HasValue: true}}},
	} {
		if !p.mountsOn(m.Target) {
			m.From = "Linux containers have " + m.Target
			inDev = append(inDev, m)
		}
	}
	p.Mounts = slices.Insert(p.Mounts, i+1, inDev...)
	// The place for it is hidden by the rules for jails.
	p.Mounts[i].DevRules = append(p.Mounts[i].DevRules, "shm")
}

func (p *Plan) mountsOn(target string) bool {
	return slices.ContainsFunc(p.Mounts, func(m Mount) bool { return m.Target == target })
}
