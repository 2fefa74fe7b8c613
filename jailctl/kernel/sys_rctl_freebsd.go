package kernel

import (
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// rctlGetRacct, rctlGetRules, rctlAddRule and rctlRemoveRule take a text of up to
// 4096 bytes. Those that answer do so in out, and fail with ERANGE if it is too
// small.
func rctlGetRacct(filter string, out []byte) error {
	return rctl(sysRctlGetRacct, "rctl_get_racct", filter, out)
}

func rctlGetRules(filter string, out []byte) error {
	return rctl(sysRctlGetRules, "rctl_get_rules", filter, out)
}

func rctlAddRule(rule string) error { return rctl(sysRctlAddRule, "rctl_add_rule", rule, nil) }

func rctlRemoveRule(filter string) error {
	return rctl(sysRctlRemoveRule, "rctl_remove_rule", filter, nil)
}

func rctl(trap int, op, text string, out []byte) error {
	in, err := unix.ByteSliceFromString(text)
	if err != nil {
		return newError(op, text, syscall.EINVAL)
	}
	_, _, errno := unix.Syscall6(uintptr(trap), uintptr(pointer(in)), uintptr(len(in)), uintptr(pointer(out)), uintptr(len(out)), 0, 0)
	runtime.KeepAlive(in)
	runtime.KeepAlive(out)
	if errno != 0 {
		return newError(op, text, errno)
	}
	return nil
}
