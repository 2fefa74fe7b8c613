package kernel

import (
	"fmt"
	"syscall"
)

// processesGuess is the size in which most process tables fit.
const processesGuess = 256 * kinfoProcSize

// Processes lists all processes that the calling process may see, zombies
// included, in no particular order.
func Processes() ([]Process, error) {
	b, err := readSysctl([]int32{ctlKern, kernProc, kernProcProc}, processesGuess)
	if err != nil {
		return nil, err
	}
	return DecodeProcesses(b)
}

// ProcessByID returns a process, which may be a zombie. ESRCH: there is none, or it
// was waited for.
func ProcessByID(pid int) (Process, error) {
	object := fmt.Sprintf("process %d", pid)
	b := make([]byte, kinfoProcSize)
	n, err := sysctl([]int32{ctlKern, kernProc, kernProcPID, int32(pid)}, b, nil)
	if err != nil {
		return Process{}, fmt.Errorf("%s: %w", object, err)
	}
	procs, err := DecodeProcesses(b[:n])
	if err != nil {
		return Process{}, fmt.Errorf("%s: %w", object, err)
	}
	if len(procs) == 0 {
		return Process{}, newError("sysctl kern.proc.pid", object, syscall.ESRCH)
	}
	return procs[0], nil
}
