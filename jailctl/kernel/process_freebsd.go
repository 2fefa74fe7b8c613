package kernel

import (
	"fmt"
	"syscall"
)

// processesGuess is the size in which most process tables fit.
const processesGuess = 256 * kinfoProcSize

// Processes lists all processes that the calling process may see, zombies
// included, in no particular order.
func Processes() (all []Process, err error) {
	err = readProcesses(func(b []byte) error {
		all, err = DecodeProcesses(b)
		return err
	})
	return all, err
}

// ProcessesIn is Processes for those of some jails, by their jids.
func ProcessesIn(jids ...int) (all []Process, err error) {
	err = readProcesses(func(b []byte) error {
		all, err = DecodeProcessesIn(b, jids...)
		return err
	})
	return all, err
}

// readProcesses calls f with the kernel's table of processes, in memory that is
// used again: it is a few hundred kilobytes large, and read at each container's
// end.
func readProcesses(f func([]byte) error) error {
	return withTable(processesGuess, func(room []byte) ([]byte, error) {
		b, err := readSysctlInto([]int32{ctlKern, kernProc, kernProcProc}, room)
		if err != nil {
			return room, err
		}
		return b[:cap(b)], f(b)
	})
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
