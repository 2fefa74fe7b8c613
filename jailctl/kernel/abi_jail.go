package kernel

// Flags of jail_set(2) and jail_get(2).
const (
	jailCreate  = 0x01 // JAIL_CREATE, sys/sys/jail.h:102
	jailUpdate  = 0x02 // JAIL_UPDATE, sys/sys/jail.h:103
	jailDying   = 0x08 // JAIL_DYING, sys/sys/jail.h:105; jail_get finds dying jails too
	jailUseDesc = 0x10 // JAIL_USE_DESC, sys/sys/jail.h:106; since 15.0, EINVAL before
	jailGetDesc = 0x40 // JAIL_GET_DESC, sys/sys/jail.h:108; since 15.0, EINVAL before
)

// Values of parameters of [KindJailsys].
const (
	Disable int32 = 0 // JAIL_SYS_DISABLE, sys/sys/jail.h:113
	New     int32 = 1 // JAIL_SYS_NEW, sys/sys/jail.h:114
	Inherit int32 = 2 // JAIL_SYS_INHERIT, sys/sys/jail.h:115
)

// Sizes of strings, with their NUL.
const (
	errmsgSize    = 1024 // JAIL_ERRMSGLEN, lib/libjail/jail.h:38; nmount(2) takes any size
	maxHostName   = 256  // MAXHOSTNAMELEN, sys/sys/param.h:137; of a jail's full name too
	maxPath       = 1024 // PATH_MAX, sys/sys/syslimits.h:60
	hostUUIDSize  = 64   // HOSTUUIDLEN, sys/sys/jail.h:150
	osReleaseSize = 32   // OSRELEASELEN, sys/sys/jail.h:152
	linuxUTSSize  = 65   // LINUX_MAX_UTSNAME, sys/compat/linux/linux_misc.h:41
	jailMetaSize  = 4096 // jm_maxbufsize_hard, sys/kern/kern_jailmeta.c:32; security.jail.meta_maxbufsize changes it
)

// firstDescriptorRelease is the __FreeBSD_version from which on kernels have jail
// descriptors (sys/sys/jail.h:106): all releases of 15, not each snapshot before.
const firstDescriptorRelease = 1500000
