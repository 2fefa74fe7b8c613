package kernel

import "fmt"

// WaitJail tells of a child of the calling process that has ended and whose
// credentials are in a jail, by id, alive or dying; a jail below it does not count.
// Unless leave is set it reaps the child. It does not block: Pid 0 is that none has
// ended. ECHILD: there is no such child, ended or not.
//
// Source: wait6(2) P_JAILID, proc_to_reap in sys/kern/kern_exit.c.
func WaitJail(jid int, leave bool) (WaitResult, error) {
	return waitFor(jidObject(jid), idJailID, jid, leave)
}

// WaitPid is [WaitJail] for the child of a pid.
func WaitPid(pid int, leave bool) (WaitResult, error) {
	return waitFor(fmt.Sprintf("process %d", pid), idPID, pid, leave)
}

// WaitAny is [WaitJail] for any child.
func WaitAny(leave bool) (WaitResult, error) { return waitFor("", idAll, 0, leave) }

func waitFor(object string, idType, id int, leave bool) (WaitResult, error) {
	options := waitNoHang | waitExited
	if leave {
		options |= waitNoWait
	}
	usage := make([]byte, wrusageSize)
	pid, status, err := wait6(object, idType, id, options, usage)
	if err != nil {
		return WaitResult{}, err
	}
	return decodeWait(pid, status, usage)
}
