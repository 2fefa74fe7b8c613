package kernel

import (
	"fmt"
	"syscall"
	"time"
)

// WaitResult is the end of a child process.
type WaitResult struct {
	Pid      int // 0: none has ended, and the rest is zero
	Status   int // exit code, or 128 + signal
	Signaled bool
	Signal   syscall.Signal // if Signaled

	// UserTime and SystemTime are those of the process and of what it waited
	// for, which nothing tells any more once it is reaped.
	UserTime, SystemTime time.Duration
}

// decodeWait makes a result of what wait6(2) returns: pid, wait status and the
// struct __wrusage. The call asks for ended processes only, so a status is an exit
// or a signal.
func decodeWait(pid int, status int32, usage []byte) (WaitResult, error) {
	if pid == 0 {
		return WaitResult{}, nil
	}
	if len(usage) != wrusageSize {
		return WaitResult{}, fmt.Errorf("resource usage of %d bytes: %w", len(usage), ErrLayout)
	}
	r := WaitResult{Pid: pid}
	for _, off := range []int{offWrusageSelf, offWrusageChildren} {
		r.UserTime += decodeDuration(usage[off+offRusageUtime:])
		r.SystemTime += decodeDuration(usage[off+offRusageStime:])
	}
	if sig := status & waitSignalMask; sig != 0 {
		r.Signaled = true
		r.Signal = syscall.Signal(sig)
		r.Status = 128 + int(sig)
	} else {
		r.Status = int(status>>waitExitShift) & waitExitMask
	}
	return r, nil
}
