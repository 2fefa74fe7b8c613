package kernel

// JailCPUs returns the CPUs that a jail may use. ESRCH: there is no such jail.
func JailCPUs(jid int) (CPUSet, error) {
	var s CPUSet
	if err := cpusetGetaffinity(jidObject(jid), cpuLevelWhich, cpuWhichJail, jid, s[:]); err != nil {
		return CPUSet{}, err
	}
	return s, nil
}

// SetJailCPUs changes the CPUs that a jail, the jails below it and their processes
// may use, at once. EINVAL: a CPU does not exist, or the parent of the jail may not
// use it. EDEADLK: a process would be left without one; so for an empty set. ESRCH:
// there is no such jail.
//
// Source: cpuset_setaffinity(2) CPU_WHICH_JAIL. Needs root.
func SetJailCPUs(jid int, s CPUSet) error {
	return cpusetSetaffinity(jidObject(jid), cpuLevelWhich, cpuWhichJail, jid, s[:])
}

// SetJailDomains changes the memory domains that a jail's processes get memory
// from, given as in [ParseCPUs]. The policy by which a domain is picked stays.
// EINVAL: the parent of the jail may not use one of them. ESRCH: there is no such
// jail.
//
// Source: cpuset_setdomain(2) CPU_WHICH_JAIL. Needs root.
func SetJailDomains(jid int, list string) error {
	mask, err := parseDomains(list)
	if err != nil {
		return err
	}
	object := jidObject(jid)
	policy, err := cpusetGetdomain(object, cpuLevelWhich, cpuWhichJail, jid, make([]byte, len(mask)))
	if err != nil {
		return err
	}
	return cpusetSetdomain(object, cpuLevelWhich, cpuWhichJail, jid, mask, policy)
}
