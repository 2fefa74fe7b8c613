package plan

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"jailshim/jailctl/kernel"
)

// rank orders who says what a parameter is: the higher one wins, and two of the
// same rank that differ are an error.
type rank int

const (
	byDefault    rank = iota
	byCapability      // follows from a capability of Linux
	byObject          // the specification: freebsd.jail, hostname, …
	byAnnotation      // what the user typed
)

// setting is a jail parameter with a value.
type setting struct {
	value value
	field string // who set it: "freebsd.jail.ip4Addr", "annotation org.freebsd.jail.vnet"
	rank  rank
}

// value is what a parameter is set to; kind says which of the others counts.
type value struct {
	kind  kernel.Kind
	text  string // as written
	num   uint64 // of an int in two's complement
	addrs []netip.Addr
}

// Params are the jail parameters of a kernel.
type Params interface {
	// Param describes a parameter; false if the kernel does not know it.
	Param(name string) (kernel.ParamInfo, bool)
	// All describes all of them, by name.
	All() map[string]kernel.ParamInfo
}

// ParamMap are Params that were read before.
type ParamMap map[string]kernel.ParamInfo

// Param implements Params.
func (m ParamMap) Param(name string) (kernel.ParamInfo, bool) {
	info, ok := m[name]
	return info, ok
}

// All implements Params.
func (m ParamMap) All() map[string]kernel.ParamInfo { return m }

// params are the parameters of a jail that have been set so far.
type params struct {
	known   Params
	guessed bool // known is not of a running kernel
	release int
	set     map[string]setting
	needed  map[string]string // parameter → kernel module
}

func newParams(f Facts) *params {
	p := &params{known: f.Params, release: f.Release, set: make(map[string]setting), needed: make(map[string]string)}
	if p.known == nil {
		p.known, p.guessed = ParamMap(kernel.BuiltinParams()), true
	}
	return p
}

// put sets a parameter from its textual form.
func (p *params) put(name, text, field string, r rank) error {
	info, module, err := p.lookup(name, field)
	if err != nil {
		return err
	}
	v, err := parseValue(info, name, text)
	if err != nil {
		return invalid(field, "%q: %v", text, err)
	}
	if old, ok := p.set[name]; ok {
		if old.rank > r {
			return nil
		}
		if old.rank == r && old.value.text != text {
			return invalid(field, "%q: %s already sets the parameter %s to %q", text, old.field, name, old.value.text)
		}
	}
	p.set[name] = setting{value: v, field: field, rank: r}
	if module != "" {
		p.needed[name] = module
	}
	return nil
}

// defaultTo sets a parameter that nobody has set, if the kernel knows it.
func (p *params) defaultTo(name, text string) error {
	if _, ok := p.set[name]; ok || !p.knows(name) {
		return nil
	}
	return p.put(name, text, "default", byDefault)
}

func (p *params) drop(name string) {
	delete(p.set, name)
	delete(p.needed, name)
}

// get returns the text of a parameter, "" if it isn't set.
func (p *params) get(name string) string { return p.set[name].value.text }

// isTrue reports whether a parameter of kind bool is set and true.
func (p *params) isTrue(name string) bool { return p.set[name].value.num == 1 }

func (p *params) has(name string) bool {
	_, ok := p.set[name]
	return ok
}

// knows reports whether the kernel has a parameter without loading anything.
func (p *params) knows(name string) bool {
	_, ok := p.known.Param(name)
	return ok
}

// lookup finds a parameter that may be set, and the module that has to be loaded
// for it.
func (p *params) lookup(name, field string) (kernel.ParamInfo, string, error) {
	if why, ours := ownParams[name]; ours {
		return kernel.ParamInfo{}, "", invalid(field, "the parameter %s can't be set: %s", name, why)
	}
	provided, fromModule := moduleParams[name]
	if info, ok := p.known.Param(name); ok {
		if info.ReadOnly {
			return info, "", invalid(field, "the parameter %s is read-only", name)
		}
		if p.guessed && fromModule && !provided.generic {
			return info, provided.module, nil
		}
		return info, "", nil
	}
	if fromModule {
		info := kernel.ParamInfo{Name: name, Kind: provided.kind}
		if builtin, ok := kernel.BuiltinParams()[name]; ok {
			info = builtin
		}
		return info, provided.module, nil
	}
	if base, key, ok := strings.Cut(name, "."); ok && key != "" && !strings.ContainsAny(key, "=\n\x00") {
		if info, ok := p.known.Param(base); ok && info.Kind == kernel.KindKeyValue {
			return info, "", nil
		}
	}
	if why, ok := jailCommandParams[name]; ok || strings.HasPrefix(name, "exec.") {
		if !ok {
			why = "use process and hooks"
		}
		return kernel.ParamInfo{}, "", invalid(field, "%s is a parameter of the command jail(8), not of jails: %s", name, why)
	}
	if _, ok := kernel.BuiltinParams()[name]; ok {
		return kernel.ParamInfo{}, "", invalid(field, "this kernel (kern.osreldate %d) has no parameter %s", p.release, name)
	}
	return kernel.ParamInfo{}, "", invalid(field, "there is no jail parameter %q%s (sysctl -Nd security.jail.param lists them)", name, p.similar(name))
}

// similar suggests parameters that end like an unknown one.
func (p *params) similar(name string) string {
	last := name[strings.LastIndexByte(name, '.')+1:]
	for _, k := range slices.Sorted(maps.Keys(p.known.All())) {
		if strings.EqualFold(strings.ReplaceAll(k[strings.LastIndexByte(k, '.')+1:], "_", ""), strings.ReplaceAll(last, "_", "")) {
			return fmt.Sprintf("; is it %s", k)
		}
	}
	return ""
}

// modules are those that the parameters need, in the order of the parameters.
func (p *params) modules() []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(p.needed)) {
		if m := p.needed[name]; !slices.Contains(out, m) {
			out = append(out, m)
		}
	}
	return out
}

// encode returns the parameters by name.
func (p *params) encode() ([]kernel.Param, error) {
	out := make([]kernel.Param, 0, len(p.set))
	for _, name := range slices.Sorted(maps.Keys(p.set)) {
		s := p.set[name]
		e, err := s.value.encode(name)
		if err != nil {
			return nil, invalid(s.field, "%v", err)
		}
		out = append(out, e)
	}
	return out, nil
}

func (v value) encode(name string) (kernel.Param, error) {
	switch v.kind {
	case kernel.KindBool:
		return kernel.Bool(name, v.num == 1), nil
	case kernel.KindInt, kernel.KindJailsys:
		return kernel.Int(name, int32(v.num)), nil // parseValue checked the range
	case kernel.KindULong:
		return kernel.ULong(name, v.num), nil
	case kernel.KindIPv4:
		return kernel.IPv4(name, v.addrs)
	case kernel.KindIPv6:
		return kernel.IPv6(name, v.addrs)
	}
	return kernel.String(name, v.text), nil
}

// parseValue reads the textual form of a value. The error says what is allowed.
func parseValue(info kernel.ParamInfo, name, text string) (value, error) {
	v := value{kind: info.Kind, text: text}
	var err error
	switch info.Kind {
	case kernel.KindBool:
		v.num, err = parseBool(text)
	case kernel.KindJailsys:
		v.num, err = parseJailsys(name, text)
	case kernel.KindInt:
		v.num, err = parseInt(name, text)
	case kernel.KindULong:
		if v.num, err = strconv.ParseUint(text, 0, 64); err != nil {
			err = fmt.Errorf("a number from 0 to %d is allowed", uint64(1<<64-1))
		}
	case kernel.KindIPv4, kernel.KindIPv6:
		v.addrs, err = parseAddrs(text, info.Kind == kernel.KindIPv4)
	case kernel.KindString, kernel.KindKeyValue:
		err = checkString(info, name, text)
	default:
		err = fmt.Errorf("the parameter %s is of a kind that this program does not know", name)
	}
	return v, err
}

func parseBool(text string) (uint64, error) {
	switch text {
	case "true", "1":
		return 1, nil
	case "false", "0":
		return 0, nil
	}
	return 0, fmt.Errorf("true, false, 1 or 0 is allowed")
}

func parseJailsys(name, text string) (uint64, error) {
	switch text {
	case "new":
		return uint64(kernel.New), nil
	case "inherit":
		return uint64(kernel.Inherit), nil
	case "disable":
		if !neverDisabled[name] {
			return uint64(kernel.Disable), nil
		}
	}
	if neverDisabled[name] {
		return 0, fmt.Errorf("new or inherit is allowed")
	}
	return 0, fmt.Errorf("new, inherit or disable is allowed")
}

func parseInt(name, text string) (uint64, error) {
	r, ok := intRanges[name]
	if !ok {
		r = intRange{-1 << 31, 1<<31 - 1}
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < r.min || n > r.max {
		return 0, fmt.Errorf("a number from %d to %d is allowed", r.min, r.max)
	}
	return uint64(n), nil
}

func checkString(info kernel.ParamInfo, name, text string) error {
	if strings.ContainsRune(text, 0) {
		return fmt.Errorf("it holds a NUL byte")
	}
	if info.MaxLen > 0 && len(text) >= info.MaxLen {
		return fmt.Errorf("it is longer than %d bytes", info.MaxLen-1)
	}
	if name == "linux.osrelease" && !isLinuxRelease(text) {
		return fmt.Errorf("a release like 5.15.0 is allowed")
	}
	return nil
}
