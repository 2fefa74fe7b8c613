package plan

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"jailshim/jailctl/kernel"
)

const (
	// maxPattern is DEVFS_MAXPTRNLEN without its NUL.
	maxPattern = 199
	// permissions are the bits that a device may be given, and modes those that a rule may
	// say: podman's for /dev/shm has the sticky bit.
	permissions = 0o777
	modes       = 0o7777
)

// devices plans freebsd.devices. They appear in the container's own /dev, so it
// must have one.
func (b *builder) devices() error {
	if b.spec.FreeBSD != nil {
		for i, d := range b.spec.FreeBSD.Devices {
			field := fmt.Sprintf("freebsd.devices[%d]", i)
			p, why := devicePath(d.Path)
			if why != "" {
				return invalid(field+".path", "%q: %s", d.Path, why)
			}
			planned := Device{Path: p}
			if d.Mode != nil {
				if *d.Mode&^permissions != 0 {
					return invalid(field+".mode", "%#o: permissions up to %#o are allowed (in JSON they are decimal numbers)", uint32(*d.Mode), permissions)
				}
				mode := uint32(*d.Mode)
				planned.Mode = &mode
			}
			b.plan.Devices = append(b.plan.Devices, planned)
		}
	}
	if len(b.plan.Devices) == 0 {
		return nil
	}
	dev := b.plan.dev()
	if dev == nil {
		return invalid("freebsd.devices", "%q can't appear: there is no mount of type devfs on /dev", b.plan.Devices[0].Path)
	}
	for _, d := range b.plan.Devices {
		for dir := path.Dir(d.Path); dir != "."; dir = path.Dir(dir) {
			if !slices.Contains(dev.DevRules, dir) {
				dev.DevRules = append(dev.DevRules, dir)
			}
		}
	}
	return nil
}

// devicePath makes a path relative to /dev, and says what is wrong with it.
func devicePath(name string) (string, string) {
	rel, ok := strings.CutPrefix(name, "/dev/")
	switch {
	case name == "" || name == "/dev/":
		return "", "a device has a name"
	case !ok && path.IsAbs(name):
		return "", "devices are in /dev"
	case slices.Contains(strings.Split(rel, "/"), ".."):
		return "", "it leads out of /dev"
	case strings.ContainsRune(name, 0):
		return "", "it holds a NUL byte"
	case strings.ContainsAny(rel, `*?[\`):
		return "", "it is a pattern, and only the named device is to appear"
	case len(rel) > maxPattern:
		return "", fmt.Sprintf("it is longer than %d bytes", maxPattern)
	}
	if rel = path.Clean(rel); rel == "." {
		return "", "a device has a name"
	}
	return rel, ""
}

// parseDevRule reads the option rule of a devfs mount, as podman writes it for
// --device and ocijail gives it to devfs(8): "path usb/0.1.0 unhide mode 0660".
func parseDevRule(text string) (Device, error) {
	const allowed = "\"path DEVICE unhide\", and \"mode OCTAL\" after it, is allowed"
	words := strings.Fields(text)
	var d Device
	unhide := false
	for len(words) > 0 {
		word, rest := words[0], words[1:]
		switch {
		case word == "unhide":
			unhide = true
			words = rest
			continue
		case len(rest) == 0:
			return d, fmt.Errorf("rule %q: %s", text, allowed)
		case word == "path" && d.Path == "":
			p, why := devicePath(rest[0])
			if why != "" {
				return d, fmt.Errorf("rule %q: %s", text, why)
			}
			d.Path = p
		case word == "mode":
			n, err := strconv.ParseUint(rest[0], 8, 32)
			if err != nil || n&^modes != 0 {
				return d, fmt.Errorf("rule %q: %s", text, allowed)
			}
			mode := uint32(n)
			d.Mode = &mode
		default:
			return d, fmt.Errorf("rule %q: %s", text, allowed)
		}
		words = rest[1:]
	}
	if d.Path == "" || !unhide {
		return d, fmt.Errorf("rule %q: %s", text, allowed)
	}
	return d, nil
}

// DevRules are the rules to apply to the mount on /dev alone, in order: folders
// on the way to a device first.
func (p *Plan) DevRules() []kernel.DevRule {
	dev := p.dev()
	if dev == nil {
		return nil
	}
	var out []kernel.DevRule
	for _, pattern := range dev.DevRules {
		out = append(out, kernel.DevRule{Pattern: pattern, Unhide: true})
	}
	for _, d := range p.Devices {
		out = append(out, kernel.DevRule{Pattern: d.Path, Unhide: true, Mode: d.Mode})
	}
	return out
}
