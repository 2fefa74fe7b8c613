package kernel

import (
	"runtime"
	"syscall"
	"unsafe"
)

// The Go runtime's own preparation of a fork, which package syscall uses and
// others may: see the comments at these functions in the runtime (proc.go).

//go:linkname runtimeBeforeFork syscall.runtime_BeforeFork
func runtimeBeforeFork()

//go:linkname runtimeAfterFork syscall.runtime_AfterFork
func runtimeAfterFork()

//go:linkname runtimeAfterForkInChild syscall.runtime_AfterForkInChild
func runtimeAfterForkInChild()

// Fork makes a child that does the script, and returns its pid. The caller waits
// for it, whatever becomes of it. The limit of open files is the caller's, which Go
// raises at start, unless the script sets one.
func (s *Script) Fork() (int, error) {
	defer s.done()
	c := s.compile()
	if s.err != nil {
		return 0, s.err
	}
	pid, errno := c.fork()
	if errno != 0 {
		return 0, newError("fork", "", errno)
	}
	return pid, nil
}

const (
	// arenaSize is heapArenaBytes of the Go runtime on systems of 64 bits: what it maps
	// for its heap at once, at a multiple of the size.
	arenaSize = 64 << 20
	// stackRoom is kept of it on both sides of where the stack is: a function that may
	// not let it grow gets along with 800 bytes.
	stackRoom = 16 << 10
)

// fork forks, and is the child. In it nothing may be allocated, no pointer stored,
// no function called but the system call and those that need no stack of their own
// (go:nosplit): hence one long function.
//
//go:norace
//go:noinline
func (c *child) fork() (int, syscall.Errno) {
	var (
		control          = c.control
		found            uintptr // the path of the program
		missing          = syscall.ENOENT
		st               *step
		r, n, fd, digit  uintptr
		low, high, arena uintptr // of the stack
		errno, allowed   syscall.Errno
		text             *[len(PIDMark)]byte
	)
	runtimeBeforeFork()
	r, _, errno = syscall.RawSyscall6(sysFork, 0, 0, 0, 0, 0, 0)
	if errno != 0 || r != 0 {
		runtimeAfterFork()
		return int(r), errno
	}
	runtimeAfterForkInChild()
	// Compiled code on amd64 reads from thread-local memory, which Go has in its heap,
	// what it keeps in a register elsewhere. Here nothing uses what it reads.
	if runtime.GOARCH == "amd64" {
		_, _, _ = syscall.RawSyscall6(sysSysarch, amd64SetFsbase, uintptr(unsafe.Pointer(&c.local)), 0, 0, 0, 0)
	}
	// The stack is in an arena of the heap, of which the rest goes.
	low = uintptr(unsafe.Pointer(&low)) &^ (stackRoom - 1)
	high, arena = low+2*stackRoom, low&^(arenaSize-1)
	if low -= stackRoom; low > arena {
		_, _, _ = syscall.RawSyscall6(sysMunmap, arena, low-arena, 0, 0, 0, 0)
	}
	if high < arena+arenaSize {
		_, _, _ = syscall.RawSyscall6(sysMunmap, high, arena+arenaSize-high, 0, 0, 0, 0)
	}
	for i := range c.steps {
		st, errno = &c.steps[i], 0
		switch st.op {
		case opCall:
			_, _, errno = syscall.RawSyscall6(st.trap, st.args[0].n+uintptr(st.args[0].p), st.args[1].n+uintptr(st.args[1].p),
				st.args[2].n+uintptr(st.args[2].p), st.args[3].n+uintptr(st.args[3].p), st.args[4].n+uintptr(st.args[4].p), st.args[5].n)
		case opSocket:
			r, _, errno = syscall.RawSyscall6(st.trap, st.args[0].n, st.args[1].n, st.args[2].n, 0, 0, 0)
			if errno == 0 && r != st.args[3].n {
				_, _, errno = syscall.RawSyscall6(sysFcntl, r, fDup2FDCloexec, st.args[3].n, 0, 0, 0)
				_, _, _ = syscall.RawSyscall6(sysClose, r, 0, 0, 0, 0, 0)
			}
		case opPid:
			n, _, _ = syscall.RawSyscall6(st.trap, 0, 0, 0, 0, 0, 0)
			text = (*[len(PIDMark)]byte)(st.args[0].p)
			digit = 1
			for n/digit >= 10 {
				digit *= 10
			}
			for j := range text {
				text[j] = 0
				if digit > 0 {
					text[j] = byte('0' + n/digit%10)
				}
				digit /= 10
			}
		case opFind:
			if found != 0 {
				continue
			}
			_, _, errno = syscall.RawSyscall6(st.trap, st.args[0].n, uintptr(st.args[1].p), uintptr(st.args[2].p), 0, 0, 0)
			switch {
			case errno == 0 && isProgram(&c.scratch):
				found = uintptr(st.args[1].p)
			case errno == 0 || errno == syscall.EACCES:
				missing = syscall.EACCES
			}
			continue
		case opFound:
			if found == 0 {
				errno = missing
			}
		case opReady:
			putAnswer((*[answerSize]byte)(c.scratch[:]), 0, st.op)
			_, _, errno = syscall.RawSyscall6(sysWrite, control, uintptr(unsafe.Pointer(&c.scratch)), answerSize, 0, 0, 0)
		case opAwait:
			for {
				n, _, errno = syscall.RawSyscall6(sysRead, control, uintptr(unsafe.Pointer(&c.scratch)), 1, 0, 0, 0)
				if errno != syscall.EINTR {
					break
				}
			}
			if errno != 0 || n == 0 {
				_, _, _ = syscall.RawSyscall6(sysExit, ScriptFailed, 0, 0, 0, 0, 0)
			}
		case opAccept:
			for {
				fd, _, errno = syscall.RawSyscall6(sysAccept4, st.args[0].n, 0, 0, sockCloexec, 0, 0)
				if errno == syscall.EINTR || errno == syscall.ECONNABORTED {
					continue
				}
				if errno != 0 {
					_, _, _ = syscall.RawSyscall6(sysExit, ScriptFailed, 0, 0, 0, 0, 0)
				}
				n, _, errno = syscall.RawSyscall6(sysRead, fd, uintptr(unsafe.Pointer(&c.scratch)), 1, 0, 0, 0)
				if errno == 0 && n == 1 {
					control = fd
					break
				}
				// Whoever it was went away again.
				_, _, _ = syscall.RawSyscall6(sysClose, fd, 0, 0, 0, 0, 0)
			}
		case opExec:
			_, _, errno = syscall.RawSyscall6(st.trap, found, uintptr(st.args[1].p), uintptr(st.args[2].p), 0, 0, 0)
		}
		for _, allowed = range st.allow {
			if errno == allowed {
				errno = 0
			}
		}
		if errno == 0 {
			continue
		}
		putAnswer((*[answerSize]byte)(c.scratch[:]), errno, st.op)
		// Nobody may be there to read it.
		_, _, _ = syscall.RawSyscall6(sysWrite, control, uintptr(unsafe.Pointer(&c.scratch)), answerSize, 0, 0, 0)
		_, _, _ = syscall.RawSyscall6(sysWrite, control, uintptr(unsafe.Pointer(unsafe.StringData(st.what))), uintptr(len(st.what)), 0, 0, 0)
		_, _, _ = syscall.RawSyscall6(sysExit, ScriptFailed, 0, 0, 0, 0, 0)
	}
	for {
		_, _, _ = syscall.RawSyscall6(sysExit, 0, 0, 0, 0, 0, 0)
	}
}
