// Package plan translates an OCI runtime specification for a container that is a
// FreeBSD jail into a plan: jail parameters, mounts, devices, the process, limits,
// network and hooks, as data. It makes no system call (but [Load] reads a file),
// so that it is the same on every system, and a user can be shown what would be
// done ([Plan.Explain]).
//
// # Reading order
//
// [New] in plan.go has the steps, each with a file of its own. ignored.go decides
// what a jail can't do: it is listed in [Plan.Ignored], or refused. There is no
// third way: a field that neither is handled nor stands there is an error.
//
// # Who decides
//
// An annotation org.freebsd.jail.<parameter> wins over the freebsd object, which
// wins over what the linux object means, which wins over the defaults. Every
// parameter of the kernel can be set by annotation, and in freebsd.jail by its
// kernel name; what belongs to the runtime (name, path, jid, persist) and what is
// read-only is refused.
//
// The network: the annotation io.containerd.jail.network ("host", "none", a
// network, "jail:NAME"), else vnet, ip4 and ip6 of the jail, else the network
// namespace: none there is the host's network, one without a path a VNET with
// loopback only, and a path means what the annotation does. Nothing said at all is
// the host's network with all its addresses. As soon as ip4, ip4.addr, ip6 or
// ip6.addr is given, the family that isn't spoken of is disabled.
//
// A container on a network says more about its place there by the annotations
// io.containerd.jail.ports ("8080:80/tcp,…"), io.containerd.jail.addresses and
// io.containerd.jail.mac, or by what nerdctl leaves of -p, --ip, --ip6, --mac-address,
// --add-host and --dns. Its /etc/hosts and /etc/resolv.conf are the network's unless
// the specification mounts something there; the copies of the host's files that nerdctl
// mounts by itself count as nothing.
//
// The host name: hostname, else HOSTNAME of the process's environment (CRI sends
// nothing else), else the id. With linux.namespaces and none for uts in it, or with
// host "inherit", it is the host's or the parent's.
//
// # Defaults
//
// enforce_statfs is 2, and 1 if the jail may mount something or runs Linux
// programs, but no less than the parent's; devfs_ruleset is that of the mount on
// /dev, or 4; sysvmsg, sysvsem and sysvshm are new, unless allow.sysvipc speaks of
// them or the jail has a parent, which may not have them to give; a VNET has a
// host.hostuuid made from namespace and id. allow.mount.<fs> brings allow.mount
// along, without which it has no effect. All else is the kernel's default: allow.set_hostname
// and allow.reserved_ports are on.
//
// # Capabilities
//
// A jail has none. Of those in the bounding set (else the effective one) these
// become parameters, unless they are set to false:
//
//	CAP_NET_RAW    allow.raw_sockets, in a VNET, its own or its parent's, only: on the
//	               host's network it would let a container read and forge others' packets
//	CAP_IPC_LOCK   allow.mlock
//
// CAP_SYS_TIME is the clock of the host, CAP_SYS_ADMIN mounts, CAP_NET_ADMIN the
// host's interfaces: who wants that says so by name (allow.settime, allow.adjtime,
// allow.mount.*, vnet). CAP_SYS_CHROOT, CAP_NET_BIND_SERVICE and the others are what
// root in a jail has anyway.
//
// A specification under the OCI command that says nothing of capabilities is podman's or
// buildah's for FreeBSD, who count on what ocijail gives to all jails: allow.chflags, and
// allow.raw_sockets where CAP_NET_RAW would give it.
//
// # Mounts
//
// They keep their order. bind and rbind become nullfs; what is mounted below the
// source is not part of it and has to be listed. proc, sysfs, cgroup, mqueue and
// devpts are ignored, but proc and sysfs are linprocfs and linsysfs for Linux
// programs. A specification without a mount on /dev gets none, and its container
// has no devices. A devfs without a ruleset gets devfs_ruleset.
//
// Linux programs also get /proc, /sys and, if /dev is a devfs, /dev/fd with links
// and /dev/shm, wherever the specification mounts nothing. They are told by
// [Config].Linux, by a mount of type linprocfs, or by the brand of the program.
//
// # Errors
//
// They name the field or annotation and what is allowed, and wrap
// errdefs.ErrInvalidArgument; a limit without resource accounting wraps
// errdefs.ErrFailedPrecondition.
package plan
