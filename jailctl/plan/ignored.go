package plan

// What a specification may say and a jail can't do is decided in this file and
// nowhere else: ignored, because jails have no such thing and clients send it to
// everybody, or refused, because the container would not be what was asked for.

// class says what becomes of a field.
type class int

const (
	handled class = iota + 1
	ignored
	refused
)

// field is a field of the specification with all that is below it.
type field struct {
	path  string // JSON names; [] stands for the elements of a list
	class class
	why   string // of a refusal: what to do instead
}

// fields has exactly one entry for each leaf of specs.Spec; a test sees to that.
var fields = []field{
	{path: "ociVersion", class: handled},
	{path: "hostname", class: handled},
	{path: "domainname", class: handled},
	{path: "annotations", class: handled},
	{path: "root.path", class: handled},
	{path: "root.readonly", class: handled},
	{path: "hooks.prestart", class: handled},
	{path: "hooks.createRuntime", class: handled},
	{path: "hooks.createContainer", class: handled},
	{path: "hooks.startContainer", class: handled},
	{path: "hooks.poststart", class: handled},
	{path: "hooks.poststop", class: handled},

	{path: "freebsd.devices", class: handled},
	{path: "freebsd.jail.parent", class: handled},
	{path: "freebsd.jail.host", class: handled},
	{path: "freebsd.jail.ip4", class: handled},
	{path: "freebsd.jail.ip4Addr", class: handled},
	{path: "freebsd.jail.ip6", class: handled},
	{path: "freebsd.jail.ip6Addr", class: handled},
	{path: "freebsd.jail.vnet", class: handled},
	{path: "freebsd.jail.interface", class: handled},
	{path: "freebsd.jail.vnetInterfaces", class: handled},
	{path: "freebsd.jail.sysvmsg", class: handled},
	{path: "freebsd.jail.sysvsem", class: handled},
	{path: "freebsd.jail.sysvshm", class: handled},
	{path: "freebsd.jail.enforceStatfs", class: handled},
	{path: "freebsd.jail.allow.setHostname", class: handled},
	{path: "freebsd.jail.allow.rawSockets", class: handled},
	{path: "freebsd.jail.allow.chflags", class: handled},
	{path: "freebsd.jail.allow.mount", class: handled},
	{path: "freebsd.jail.allow.quotas", class: handled},
	{path: "freebsd.jail.allow.socketAf", class: handled},
	{path: "freebsd.jail.allow.mlock", class: handled},
	{path: "freebsd.jail.allow.reservedPorts", class: handled},
	{path: "freebsd.jail.allow.suser", class: handled},

	{path: "mounts[].destination", class: handled},
	{path: "mounts[].type", class: handled},
	{path: "mounts[].source", class: handled},
	{path: "mounts[].options", class: handled},
	{path: "mounts[].uidMappings", class: refused, why: "no file system here maps owners"},
	{path: "mounts[].gidMappings", class: refused, why: "no file system here maps owners"},

	{path: "process.terminal", class: handled},
	{path: "process.consoleSize", class: handled},
	{path: "process.user.uid", class: handled},
	{path: "process.user.gid", class: handled},
	{path: "process.user.umask", class: handled},
	{path: "process.user.additionalGids", class: handled},
	{path: "process.user.username", class: handled}, // refused where it alone would count
	{path: "process.args", class: handled},
	{path: "process.env", class: handled},
	{path: "process.cwd", class: handled},
	{path: "process.rlimits", class: handled},
	{path: "process.noNewPrivileges", class: handled},
	{path: "process.commandLine", class: refused, why: "it is for Windows; use process.args"},
	{path: "process.capabilities", class: ignored}, // but see allowedBy
	{path: "process.apparmorProfile", class: ignored},
	{path: "process.oomScoreAdj", class: ignored},
	{path: "process.scheduler", class: ignored},
	{path: "process.selinuxLabel", class: ignored},
	{path: "process.ioPriority", class: ignored},
	{path: "process.execCPUAffinity", class: ignored},

	{path: "linux.namespaces", class: handled}, // but see ignoredNamespaces
	{path: "linux.uidMappings", class: ignored},
	{path: "linux.gidMappings", class: ignored},
	{path: "linux.sysctl", class: ignored}, // net.* and kernel.* of Linux
	{path: "linux.cgroupsPath", class: ignored},
	{path: "linux.devices", class: ignored}, // nodes of Linux; freebsd.devices has ours
	{path: "linux.netDevices", class: refused, why: "use freebsd.jail.vnetInterfaces"},
	{path: "linux.seccomp", class: ignored},
	{path: "linux.rootfsPropagation", class: ignored},
	{path: "linux.maskedPaths", class: ignored},
	{path: "linux.readonlyPaths", class: ignored},
	{path: "linux.mountLabel", class: ignored},
	{path: "linux.intelRdt", class: ignored},
	{path: "linux.memoryPolicy", class: ignored},
	{path: "linux.personality", class: ignored},
	{path: "linux.timeOffsets", class: ignored},

	{path: "linux.resources.devices", class: ignored},
	{path: "linux.resources.memory.limit", class: handled},
	{path: "linux.resources.memory.reservation", class: ignored},
	// swapuse counts reserved swap, of which an idle Go program has a gigabyte.
	{path: "linux.resources.memory.swap", class: ignored},
	{path: "linux.resources.memory.kernel", class: ignored},
	{path: "linux.resources.memory.kernelTCP", class: ignored},
	{path: "linux.resources.memory.swappiness", class: ignored},
	{path: "linux.resources.memory.disableOOMKiller", class: ignored},
	{path: "linux.resources.memory.useHierarchy", class: ignored},
	{path: "linux.resources.memory.checkBeforeUpdate", class: ignored},
	{path: "linux.resources.cpu.quota", class: handled},
	{path: "linux.resources.cpu.period", class: handled},
	{path: "linux.resources.cpu.cpus", class: handled},
	{path: "linux.resources.cpu.mems", class: handled},
	{path: "linux.resources.cpu.shares", class: ignored}, // ctr always sends 1024
	{path: "linux.resources.cpu.burst", class: ignored},
	{path: "linux.resources.cpu.realtimeRuntime", class: ignored},
	{path: "linux.resources.cpu.realtimePeriod", class: ignored},
	{path: "linux.resources.cpu.idle", class: ignored},
	{path: "linux.resources.pids.limit", class: handled},
	{path: "linux.resources.blockIO.weight", class: ignored},
	{path: "linux.resources.blockIO.leafWeight", class: ignored},
	{path: "linux.resources.blockIO.weightDevice", class: ignored},
	{path: "linux.resources.blockIO.throttleReadBpsDevice", class: handled},
	{path: "linux.resources.blockIO.throttleWriteBpsDevice", class: handled},
	{path: "linux.resources.blockIO.throttleReadIOPSDevice", class: handled},
	{path: "linux.resources.blockIO.throttleWriteIOPSDevice", class: handled},
	{path: "linux.resources.hugepageLimits", class: ignored},
	{path: "linux.resources.network", class: ignored},
	{path: "linux.resources.rdma", class: ignored},
	{path: "linux.resources.unified", class: ignored},

	{path: "solaris", class: refused, why: "this runs on FreeBSD"},
	{path: "windows", class: refused, why: "this runs on FreeBSD"},
	{path: "vm", class: refused, why: "this makes jails, not virtual machines"},
	{path: "zos", class: refused, why: "this runs on FreeBSD"},
}

// ignoredNamespaces are those that a jail always or never has; the network
// namespace and the one of host names have a meaning.
var ignoredNamespaces = map[string]bool{
	"pid": true, "ipc": true, "mount": true, "user": true, "cgroup": true, "time": true,
}

// ignoredRlimits are limits of Linux without an equivalent.
var ignoredRlimits = map[string]bool{
	"RLIMIT_LOCKS":      true,
	"RLIMIT_MSGQUEUE":   true,
	"RLIMIT_NICE":       true,
	"RLIMIT_RTPRIO":     true,
	"RLIMIT_RTTIME":     true,
	"RLIMIT_SIGPENDING": true,
}

// ignoredMounts are file systems that only Linux has. proc and sysfs become
// linprocfs and linsysfs in a Linux container.
var ignoredMounts = map[string]bool{
	"proc":    true,
	"sysfs":   true,
	"cgroup":  true,
	"cgroup2": true,
	"mqueue":  true,
	"devpts":  true,
}

// ignoredInDev are targets that clients always send and that can't be made in a
// devfs, by file system: memory that Linux programs share, and the file that
// Kubernetes reads a container's last words from.
var ignoredInDev = map[string]string{
	"/dev/shm":             "tmpfs",
	"/dev/termination-log": "nullfs",
}

// ignoredOptions are mount options that say what is so anyway, or have no meaning
// without mount namespaces and device nodes on ordinary file systems.
var ignoredOptions = map[string]bool{
	"": true, "defaults": true, "bind": true, "rbind": true,
	"dev": true, "nodev": true, "diratime": true, "nodiratime": true,
	"relatime": true, "norelatime": true, "strictatime": true, "nostrictatime": true,
	"lazytime": true, "nolazytime": true, "iversion": true, "noiversion": true,
	"mand": true, "nomand": true, "loud": true, "silent": true,
	"private": true, "rprivate": true, "shared": true, "rshared": true,
	"slave": true, "rslave": true, "unbindable": true, "runbindable": true,
	"notmpcopyup": true,
}

// refusedOptions are mount options that would make something else than what was
// asked for, or another mount altogether.
var refusedOptions = map[string]string{
	"idmap":     "no file system here maps owners",
	"ridmap":    "no file system here maps owners",
	"rro":       "mounts below a source are not part of a bind; list each with ro",
	"rnosuid":   "mounts below a source are not part of a bind; list each with nosuid",
	"rnoexec":   "mounts below a source are not part of a bind; list each with noexec",
	"remount":   "a mount can't be changed here; give its options where it is made",
	"update":    "a mount can't be changed here; give its options where it is made",
	"reload":    "a mount can't be changed here; give its options where it is made",
	"force":     "it is for unmounting",
	"export":    "a container's mounts are not exported",
	"delexport": "a container's mounts are not exported",
	"fstype":    "it is the mount's type",
	"fspath":    "it is the mount's destination",
	"from":      "it is the mount's source",
	"target":    "it is the mount's source",
	"errmsg":    "it is the kernel's",
}

// jailCommandParams are parameters that jail(8) knows and the kernel doesn't,
// with what does the same here.
var jailCommandParams = map[string]string{
	"interface":      "use freebsd.jail.interface",
	"vnet.interface": "use freebsd.jail.vnetInterfaces",
	"ip_hostname":    "use freebsd.jail.ip4Addr and ip6Addr",
	"mount":          "use mounts",
	"mount.devfs":    "use mounts, with the type devfs",
	"mount.fdescfs":  "use mounts, with the type fdescfs",
	"mount.procfs":   "use mounts, with the type procfs",
	"mount.fstab":    "use mounts",
	"command":        "use process.args",
	"exec.start":     "use process.args",
	"exec.stop":      "use hooks.poststop",
	"zfs.dataset":    "use zfs(8) jail in a hook",
	"depend":         "containers don't depend on each other",
}
