package kernel

import (
	"errors"
	"fmt"
	"syscall"
)

// BecomeReaper makes the calling process the parent of all descendants whose own
// parent ends, of those that are forked from now on. Being it already is no error.
//
// Source: procctl(2) PROC_REAP_ACQUIRE.
func BecomeReaper() error {
	err := procctl("procctl PROC_REAP_ACQUIRE", procReapAcquire, nil)
	if errors.Is(err, syscall.EBUSY) {
		return nil
	}
	return err
}

// ReaperStatus describes the calling process's reaper.
func ReaperStatus() (ReapStatus, error) {
	b := make([]byte, reaperStatusSize)
	if err := procctl("procctl PROC_REAP_STATUS", procReapStatus, b); err != nil {
		return ReapStatus{}, err
	}
	return decodeReapStatus(b)
}

// reapSlack is how many more descendants ReaperPids leaves room for than there
// were when it asked.
const reapSlack = 16

// ReaperPids lists the descendants of the calling process's reaper, zombies
// included.
func ReaperPids() ([]ReapPid, error) {
	status, err := ReaperStatus()
	if err != nil {
		return nil, err
	}
	for room := status.Descendants + reapSlack; ; room *= 2 {
		b := make([]byte, room*reaperPidinfoSize)
		if err := procctlGetpids(b); err != nil {
			return nil, err
		}
		pids, err := decodeReapPids(b)
		// A full buffer may have left some out.
		if err != nil || len(pids) < room {
			return pids, err
		}
	}
}

// ReapKill sends a signal to all processes that descend from the calling
// process's child subtree, and to that child, and returns how many it was sent to.
// No fork escapes it. It is the only call that reaches a tree of processes with
// another signal than SIGKILL. None left, zombies aside, is no error; a process
// that may not be signalled is EPERM, after the others were.
//
// Source: procctl(2) PROC_REAP_KILL with REAPER_KILL_SUBTREE.
func ReapKill(sig syscall.Signal, subtree int) (killed int, err error) {
	if subtree <= 0 {
		return 0, newError("procctl PROC_REAP_KILL", fmt.Sprintf("process %d", subtree), syscall.EINVAL)
	}
	b := encodeReapKill(sig, subtree)
	callErr := procctl("procctl PROC_REAP_KILL", procReapKill, b)
	if errors.Is(callErr, syscall.ESRCH) {
		return 0, nil
	}
	killed, failed, err := decodeReapKill(b)
	if err != nil {
		return 0, err
	}
	if callErr != nil && failed != 0 {
		return killed, fmt.Errorf("%v to process %d: %w", sig, failed, callErr)
	}
	return killed, callErr
}
