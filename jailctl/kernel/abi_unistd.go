package kernel

// maxGroups is the most groups that setgroups(2) takes, the effective one
// included: NGROUPS_MAX + 1, sys/sys/syslimits.h:55.
const maxGroups = 1023 + 1

// loginClassSize is the size of the name of a login class, NUL included:
// MAXLOGNAME, sys/sys/param.h:131.
const loginClassSize = 33
