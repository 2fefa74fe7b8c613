package kernel

import (
	"errors"
	"slices"
	"syscall"
)

// The text that the rctl calls answer with starts at, and may grow to, this many
// bytes: RCTL_MAX_OUTBUFSIZE, sys/kern/kern_rctl.c:72.
const (
	rctlGuess = 4 << 10
	rctlMax   = 16 << 20
)

// RacctEnabled tells whether the kernel accounts for resources, which only
// kern.racct.enable=1 in /boot/loader.conf turns on. Without it there are no rules
// and no usage.
func RacctEnabled() bool {
	node, err := nodeOf("kern.racct.enable")
	if err != nil {
		return false // built without it
	}
	value, err := readSysctl(node, sysctlGuess)
	return err == nil && slices.ContainsFunc(value, func(c byte) bool { return c != 0 })
}

// AddRule adds a rule. It replaces the jail's rule for the same resource only when
// both are "deny". The jail need not exist, and its rules outlive it. ENOSYS:
// accounting is off. EINVAL: resource or action are unknown. EOPNOTSUPP: the
// resource has no such action.
//
// Source: rctl_add_rule(2), sys/kern/kern_rctl.c. Needs root.
func AddRule(r Rule) error {
	if err := r.check(); err != nil {
		return err
	}
	return rctlAddRule(r.String())
}

// RemoveRules removes all rules of a jail. None, or no accounting, is no error.
func RemoveRules(jail string) error { return RemoveRule(jail, "", "") }

// RemoveRule removes the rules of a jail for a resource and an action, whatever
// their amounts. None, or no accounting, is no error. An empty action stands for
// all of them, and an empty resource and action for all rules of the jail.
func RemoveRule(jail, resource, action string) error {
	filter, err := ruleFilter(jail, resource, action)
	if err != nil {
		return err
	}
	err = rctlRemoveRule(filter)
	if errors.Is(err, syscall.ESRCH) || errors.Is(err, syscall.ENOSYS) {
		return nil
	}
	return err
}

// Rules lists the rules of a jail, which need not exist. ENOSYS: accounting is off.
func Rules(jail string) ([]Rule, error) {
	text, err := rctlText(jail, rctlGetRules)
	if err != nil {
		return nil, err
	}
	return ParseRules(text)
}

// Usage returns what a jail uses, those below it included, by resource and in its
// unit: bytes, seconds, or counts; pcpu is per cent of one processor, and the
// bytes and operations are per second. A jail that does not exist uses nothing.
// ENOSYS: accounting is off.
func Usage(jail string) (map[string]uint64, error) {
	text, err := rctlText(jail, rctlGetRacct)
	if err != nil {
		return nil, err
	}
	return DecodeUsage(text)
}

// rctlText makes a call that answers with a text about a jail.
func rctlText(jail string, call func(filter string, out []byte) error) (string, error) {
	filter, err := ruleFilter(jail, "", "")
	if err != nil {
		return "", err
	}
	for size := rctlGuess; ; size *= 4 {
		out := make([]byte, size)
		err := call(filter, out)
		if err == nil {
			return DecodeString(out), nil
		}
		if !errors.Is(err, syscall.ERANGE) || size >= rctlMax {
			return "", err
		}
	}
}
