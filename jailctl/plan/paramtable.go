package plan

import (
	"strings"

	"jailshim/jailctl/kernel"
)

// maxAddrs is security.jail.jail_max_af_ips.
const maxAddrs = 255

// ownParams are parameters that are not the user's to set, with the reason.
var ownParams = map[string]string{
	"name":    "the jail's name comes from the namespace and the id",
	"path":    "it is root.path",
	"jid":     "the kernel numbers jails",
	"persist": "a container's jail stays until it is deleted",
	"desc":    "descriptors are the runtime's",
	"lastjid": "it is for listing jails",
	"errmsg":  "it is for the kernel's messages",
	"parent":  "it is read-only; the annotation " + parentAnnotation + " and freebsd.jail.parent name a parent",
}

// moduleParam is a parameter that exists only while a kernel module is loaded.
type moduleParam struct {
	kind    kernel.Kind
	module  string
	generic bool // the kernel that FreeBSD comes with has it built in
}

// moduleParams are those of the modules that FreeBSD comes with. The kernel lists
// them once the module is there, so they are known here by name.
var moduleParams = map[string]moduleParam{
	"allow.mount.fdescfs":    {kind: kernel.KindBool, module: "fdescfs"},
	"allow.mount.fusefs":     {kind: kernel.KindBool, module: "fusefs"},
	"allow.mount.lindebugfs": {kind: kernel.KindBool, module: "lindebugfs"},
	"allow.mount.linprocfs":  {kind: kernel.KindBool, module: "linprocfs"},
	"allow.mount.linsysfs":   {kind: kernel.KindBool, module: "linsysfs"},
	"allow.mount.nullfs":     {kind: kernel.KindBool, module: "nullfs"},
	"allow.mount.p9fs":       {kind: kernel.KindBool, module: "p9fs"},
	"allow.mount.procfs":     {kind: kernel.KindBool, module: "procfs"},
	"allow.mount.tmpfs":      {kind: kernel.KindBool, module: "tmpfs"},
	"allow.mount.zfs":        {kind: kernel.KindBool, module: "zfs"},
	"allow.vmm":              {kind: kernel.KindBool, module: "vmm"},
	"linux":                  {kind: kernel.KindJailsys, module: "linux64"},
	"linux.osname":           {kind: kernel.KindString, module: "linux64"},
	"linux.osrelease":        {kind: kernel.KindString, module: "linux64"},
	"linux.oss_version":      {kind: kernel.KindInt, module: "linux64"},
	"mac.do":                 {kind: kernel.KindJailsys, module: "mac_do"},
	"mac.do.exec_paths":      {kind: kernel.KindString, module: "mac_do"},
	"mac.do.rules":           {kind: kernel.KindString, module: "mac_do"},
	"sysvmsg":                {kind: kernel.KindJailsys, module: "sysvmsg", generic: true},
	"sysvsem":                {kind: kernel.KindJailsys, module: "sysvsem", generic: true},
	"sysvshm":                {kind: kernel.KindJailsys, module: "sysvshm", generic: true},
	"zfs":                    {kind: kernel.KindJailsys, module: "zfs"},
	"zfs.mount_snapshot":     {kind: kernel.KindInt, module: "zfs"},
}

// neverDisabled are parameters of kind jailsys without "disable".
var neverDisabled = map[string]bool{"host": true, "linux": true, "vnet": true, "zfs": true}

type intRange struct{ min, max int64 }

// intRanges has what the kernel takes, which refuses the rest without a word.
var intRanges = map[string]intRange{
	"children.max":       {0, 999999}, // JAIL_MAX
	"devfs_ruleset":      {0, 65535},
	"enforce_statfs":     {0, 2},
	"linux.oss_version":  {0, 1<<31 - 1},
	"osreldate":          {1, 1<<31 - 1},
	"securelevel":        {-1, 3},
	"zfs.mount_snapshot": {0, 1},
}

// isLinuxRelease tells what linux.osrelease can be: three numbers, and then nothing or
// more after a - or a dot.
func isLinuxRelease(s string) bool {
	for i := range 3 {
		rest := strings.TrimLeft(s, "0123456789")
		if rest == s {
			return false
		}
		s = rest
		if i < 2 {
			var dot bool
			if s, dot = strings.CutPrefix(s, "."); !dot {
				return false
			}
		}
	}
	return s == "" || (s[0] == '-' || s[0] == '.') && !strings.Contains(s, "\n")
}
