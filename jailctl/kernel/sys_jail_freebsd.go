package kernel

import "golang.org/x/sys/unix"

// jailSet makes or changes a jail and returns its id.
func jailSet(object string, params []Param, flags int) (int, error) {
	jid, _, err := optionCall(sysJailSet, "jail_set", object, params, flags)
	return jid, err
}

// jailGet reads parameters of a jail into the Values of params, which name the
// jail as well. It returns the id and the size of each value.
func jailGet(object string, params []Param, flags int) (int, []int, error) {
	return optionCall(sysJailGet, "jail_get", object, params, flags)
}

// jailAttach and jailAttachJD put the calling process into a jail.
func jailAttach(object string, jid int) error {
	return jailCall(sysJailAttach, "jail_attach", object, jid)
}

func jailAttachJD(object string, fd int) error {
	return jailCall(sysJailAttachJD, "jail_attach_jd", object, fd)
}

// jailRemove and jailRemoveJD kill the processes of a jail and remove it.
func jailRemove(object string, jid int) error {
	return jailCall(sysJailRemove, "jail_remove", object, jid)
}

func jailRemoveJD(object string, fd int) error {
	return jailCall(sysJailRemoveJD, "jail_remove_jd", object, fd)
}

// jailCall makes one of the calls whose only argument is a jail.
func jailCall(trap int, op, object string, jail int) error {
	_, _, errno := unix.Syscall6(uintptr(trap), uintptr(jail), 0, 0, 0, 0, 0)
	if errno != 0 {
		return newError(op, object, errno)
	}
	return nil
}
