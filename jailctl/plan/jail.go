package plan

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

const (
	// paramAnnotation is the beginning of the annotations that set parameters.
	paramAnnotation = "org.freebsd.jail."
	// parentAnnotation names the parent jail.
	parentAnnotation = "org.freebsd.parentJail"
)

// paramAliases are spellings of annotations that ocijail takes.
var paramAliases = map[string]string{"ip6.add": "ip6.addr"}

// settings collects the jail's parameters from the annotations, the freebsd
// object and the specification's host names. An annotation wins.
func (b *builder) settings() error {
	for _, step := range []func() error{b.annotations, b.object, b.allow, b.hostNames, b.parent} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) annotations() error {
	for _, key := range slices.Sorted(maps.Keys(b.spec.Annotations)) {
		name, ok := strings.CutPrefix(key, paramAnnotation)
		if !ok {
			continue
		}
		if alias, ok := paramAliases[name]; ok {
			name = alias
		}
		if err := b.params.put(name, b.spec.Annotations[key], "annotation "+key, byAnnotation); err != nil {
			return err
		}
	}
	return nil
}

// jail is freebsd.jail, never nil.
func (b *builder) jail() *specs.FreeBSDJail {
	if b.spec.FreeBSD == nil || b.spec.FreeBSD.Jail == nil {
		return &specs.FreeBSDJail{}
	}
	return b.spec.FreeBSD.Jail
}

func (b *builder) object() error {
	j := b.jail()
	statfs := ""
	if j.EnforceStatfs != nil {
		statfs = strconv.Itoa(*j.EnforceStatfs)
	}
	for _, s := range []struct{ name, key, text string }{
		{"host", "host", string(j.Host)},
		{"ip4", "ip4", string(j.Ip4)},
		{"ip4.addr", "ip4Addr", strings.Join(j.Ip4Addr, ",")},
		{"ip6", "ip6", string(j.Ip6)},
		{"ip6.addr", "ip6Addr", strings.Join(j.Ip6Addr, ",")},
		{"vnet", "vnet", string(j.Vnet)},
		{"sysvmsg", "sysvmsg", string(j.SysVMsg)},
		{"sysvsem", "sysvsem", string(j.SysVSem)},
		{"sysvshm", "sysvshm", string(j.SysVShm)},
		{"enforce_statfs", "enforceStatfs", statfs},
	} {
		if s.text == "" {
			continue
		}
		if err := b.params.put(s.name, s.text, "freebsd.jail."+s.key, byObject); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(b.config.Extra.Jail)) {
		if err := b.params.put(name, b.config.Extra.Jail[name], "freebsd.jail."+name, byObject); err != nil {
			return err
		}
	}
	return nil
}

// allow translates freebsd.jail.allow. Of its Go type only what is true counts:
// false may mean missing, and Extra has those that are really there.
func (b *builder) allow() error {
	const object = "freebsd.jail.allow."
	if a := b.jail().Allow; a != nil {
		for _, s := range []struct {
			key string
			on  bool
		}{
			{"setHostname", a.SetHostname},
			{"rawSockets", a.RawSockets},
			{"chflags", a.Chflags},
			{"quotas", a.Quotas},
			{"socketAf", a.SocketAf},
			{"mlock", a.Mlock},
			{"reservedPorts", a.ReservedPorts},
			{"suser", a.Suser},
		} {
			if !s.on {
				continue
			}
			if err := b.params.put("allow."+snake(s.key), "true", object+s.key, byObject); err != nil {
				return err
			}
		}
		for _, fs := range a.Mount {
			if err := b.params.put("allow.mount."+fs, "true", object+"mount", byObject); err != nil {
				return err
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(b.config.Extra.Allow)) {
		if err := b.params.put("allow."+snake(key), b.config.Extra.Allow[key], object+key, byObject); err != nil {
			return err
		}
	}
	return nil
}

// snake writes setHostname as the kernel does: set_hostname.
func snake(key string) string {
	var out strings.Builder
	for _, r := range key {
		if unicode.IsUpper(r) {
			out.WriteByte('_')
		}
		out.WriteRune(unicode.ToLower(r))
	}
	return out.String()
}

// hostNames sets hostname and domainname, unless the jail is to have its
// parent's.
func (b *builder) hostNames() error {
	host, p := b.params.set["host"], b.params
	for _, s := range []struct{ name, field, text string }{
		{"host.hostname", "hostname", b.spec.Hostname},
		{"host.domainname", "domainname", b.spec.Domainname},
	} {
		if host.value.text == "inherit" && s.text != "" && host.rank == byAnnotation {
			// Clients set a host name that the user never typed.
			b.ignore(s.field)
			continue
		}
		if s.text == "" {
			continue
		}
		if err := p.put(s.name, s.text, s.field, byObject); err != nil {
			return err
		}
	}
	for _, name := range []string{"host.hostname", "host.domainname", "host.hostuuid", "host.hostid"} {
		if host.value.text == "inherit" && p.has(name) {
			return invalid(p.set[name].field, "it can't be set while %s is \"inherit\"", host.field)
		}
	}
	return nil
}

func (b *builder) parent() error {
	field, name := "annotation "+parentAnnotation, b.spec.Annotations[parentAnnotation]
	if name == "" {
		field, name = "freebsd.jail.parent", b.jail().Parent
	}
	if name == "" {
		return nil
	}
	if err := checkJailName(name); err != "" {
		return invalid(field, "%q: %s", name, err)
	}
	b.plan.Parent = name
	return nil
}

// checkJailName says what is wrong with the full name of a jail.
func checkJailName(name string) string {
	if len(name) > maxJailName {
		return "longer than the name of a jail can be"
	}
	if strings.ContainsAny(name, ":\x00") {
		return "a jail's name holds no \":\" here, and no NUL"
	}
	for part := range strings.SplitSeq(name, ".") {
		if part == "" {
			return "a name is missing before or after a \".\""
		}
	}
	return ""
}
