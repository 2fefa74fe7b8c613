package kernel

import (
	"fmt"
	"strconv"
	"strings"
)

// Kind is the type of a jail parameter, read from the format of its sysctl
// node below security.jail.param.
type Kind int

// The kinds of parameters, with the sysctl format that tells them.
const (
	KindBool     Kind = iota + 1 // B: set by name alone; reads as a 4-byte 0 or 1
	KindInt                      // I: 4 bytes
	KindJailsys                  // E,jailsys: 4 bytes, Disable, New or Inherit
	KindString                   // A: bytes and a NUL
	KindULong                    // LU: 8 bytes
	KindIPv4                     // S,in_addr,a: 4 bytes an address
	KindIPv6                     // S,in6_addr,a: 16 bytes an address
	KindKeyValue                 // A,keyvalue: a string of lines key=value; NAME.key is one of them; since 15.0
	KindOther                    // a format that this package does not know
)

// kindFormats are the formats of sysctl nodes, by kind.
var kindFormats = map[Kind]string{
	KindBool:     "B",
	KindInt:      "I",
	KindJailsys:  "E,jailsys",
	KindString:   "A",
	KindULong:    "LU",
	KindIPv4:     "S,in_addr,a",
	KindIPv6:     "S,in6_addr,a",
	KindKeyValue: "A,keyvalue",
}

// String returns the sysctl format of the kind, which is what libjail shows.
func (k Kind) String() string {
	if f, ok := kindFormats[k]; ok {
		return f
	}
	return "?"
}

// ParamInfo describes a jail parameter.
type ParamInfo struct {
	Name       string // the key in the map
	Kind       Kind
	ReadOnly   bool // can't be set at all
	CreateOnly bool // can be set when the jail is created, and not later
	MaxLen     int  // of strings: bytes of the longest value, its NUL included; else 0
}

// descName is what jail_set(2) and jail_get(2) exchange a jail descriptor by.
const descName = "desc"

// paramPrefix is where the kernel lists its parameters.
const paramPrefix = "security.jail.param."

// decodeParam makes a ParamInfo of a sysctl node: its full name, and what
// CTL_SYSCTL_OIDFMT answers for it, a uint32 of flags and a format that ends in
// NUL. Parameters that are nodes too end in a dot there: "ip4." is the parameter
// ip4.
func decodeParam(node string, oidfmt []byte) (ParamInfo, error) {
	name, ok := strings.CutPrefix(node, paramPrefix)
	name = strings.TrimSuffix(name, ".")
	if !ok || name == "" {
		return ParamInfo{}, fmt.Errorf("sysctl %q is no jail parameter: %w", node, ErrLayout)
	}
	if len(oidfmt) < 5 || oidfmt[len(oidfmt)-1] != 0 {
		return ParamInfo{}, fmt.Errorf("format of %d bytes of sysctl %q: %w", len(oidfmt), node, ErrLayout)
	}
	flags, format := le.Uint32(oidfmt), DecodeString(oidfmt[4:])
	p := ParamInfo{Name: name, Kind: KindOther}
	for k, f := range kindFormats {
		if f == format {
			p.Kind = k
		}
	}
	if flags&ctlFlagWrite == 0 {
		p.CreateOnly = flags&ctlFlagTun != 0
		p.ReadOnly = !p.CreateOnly
	}
	return p, nil
}

// isNode tells from what CTL_SYSCTL_OIDFMT answers whether a sysctl node has others
// below it.
func isNode(oidfmt []byte) bool {
	return len(oidfmt) >= 4 && le.Uint32(oidfmt)&ctlTypeMask == ctlTypeNode
}

// isText tells whether the node of a parameter reads as the size of its longest
// value.
func (p ParamInfo) isText() bool { return p.Kind == KindString || p.Kind == KindKeyValue }

// decodeMaxLen decodes what the node of a text parameter reads as: a decimal
// number of bytes (sysctl_jail_param, sys/kern/kern_jail.c).
func decodeMaxLen(b []byte) (int, error) {
	n, err := strconv.ParseUint(DecodeString(b), 10, 31)
	if err != nil {
		return 0, fmt.Errorf("size of a jail parameter %q: %w", b, ErrLayout)
	}
	return int(n), nil
}

// BuiltinParams returns the parameters of FreeBSD 15.1 on amd64, with the modules
// loaded that containers use, as [Params] does there. It is for planning on
// another system, and before modules are loaded.
func BuiltinParams() map[string]ParamInfo {
	params := make(map[string]ParamInfo, 80)
	add := func(p ParamInfo, names ...string) {
		for _, n := range names {
			p.Name = n
			params[n] = p
		}
	}
	add(ParamInfo{Kind: KindBool},
		"allow.adjtime", "allow.chflags", "allow.extattr", "allow.mlock", "allow.mount",
		"allow.mount.devfs", "allow.mount.fdescfs", "allow.mount.fusefs", "allow.mount.linprocfs",
		"allow.mount.linsysfs", "allow.mount.nullfs", "allow.mount.procfs", "allow.mount.tmpfs",
		"allow.mount.zfs", "allow.nfsd", "allow.quotas", "allow.raw_sockets", "allow.read_msgbuf",
		"allow.reserved_ports", "allow.routing", "allow.set_hostname", "allow.setaudit",
		"allow.settime", "allow.socket_af", "allow.suser", "allow.sysvipc",
		"allow.unprivileged_parent_tampering", "allow.unprivileged_proc_debug",
		"ip4.saddrsel", "ip6.saddrsel", "persist")
	add(ParamInfo{Kind: KindBool, ReadOnly: true}, "dying")
	add(ParamInfo{Kind: KindInt},
		"children.max", "devfs_ruleset", "enforce_statfs", "linux.oss_version", "securelevel",
		"zfs.mount_snapshot")
	add(ParamInfo{Kind: KindInt, ReadOnly: true}, "children.cur", "cpuset.id", "parent")
	add(ParamInfo{Kind: KindInt, CreateOnly: true}, "jid", "osreldate")
	add(ParamInfo{Kind: KindJailsys}, "host", "linux", "sysvmsg", "sysvsem", "sysvshm", "zfs")
	add(ParamInfo{Kind: KindJailsys, CreateOnly: true}, "ip4", "ip6", "vnet")
	add(ParamInfo{Kind: KindULong}, "host.hostid")
	add(ParamInfo{Kind: KindIPv4}, "ip4.addr")
	add(ParamInfo{Kind: KindIPv6}, "ip6.addr")
	add(ParamInfo{Kind: KindKeyValue, MaxLen: jailMetaSize}, "env", "meta")
	add(ParamInfo{Kind: KindString, MaxLen: maxHostName}, "host.domainname", "host.hostname", "name")
	add(ParamInfo{Kind: KindString, MaxLen: hostUUIDSize}, "host.hostuuid")
	add(ParamInfo{Kind: KindString, MaxLen: linuxUTSSize}, "linux.osname", "linux.osrelease")
	add(ParamInfo{Kind: KindString, MaxLen: osReleaseSize, CreateOnly: true}, "osrelease")
	add(ParamInfo{Kind: KindString, MaxLen: maxPath, CreateOnly: true}, "path")
	return params
}

// isKeyValue tells whether a name is that of a parameter of [KindKeyValue] or of
// one of its keys. The kernel reads no sizes for these
// (jm_osd_method_get, sys/kern/kern_jailmeta.c).
func isKeyValue(name string) bool {
	top, _, _ := strings.Cut(name, ".")
	return top == "meta" || top == "env"
}

// getValues returns the values that jail_get(2) left in params, given their sizes.
// The first of params names the jail; a descriptor is no parameter.
func getValues(params []Param, sizes []int) map[string][]byte {
	values := make(map[string][]byte, len(params))
	for i, p := range params {
		value := p.Value[:min(len(p.Value), sizes[i])]
		if isKeyValue(p.Name) && len(value) > 0 {
			value = cString(DecodeString(value))
		}
		if p.Name != descName {
			values[p.Name] = value
		}
	}
	return values
}
