package kernel

import (
	"os"
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

// Fork makes a child that does the script, and returns its pid. The caller waits
// for it, whatever becomes of it. The limit of open files is the caller's, which Go
// raises at start, unless the script sets one.
func (s *Script) Fork() (int, error) {
	defer s.done()
	c, own := s.compile(), &inRoom(s, make([]thread, 1))[0]
	if s.err != nil {
		return 0, s.err
	}
	shared := []span{around(uintptr(unsafe.Pointer(&image)), imageRoom)}
	for _, m := range s.room.mappings {
		shared = append(shared, span{uintptr(pointer(m)), uintptr(len(m))})
	}
	// No other child may be made while hardly any memory is inherited.
	syscall.ForkLock.Lock()
	defer syscall.ForkLock.Unlock()
	pid, errno := c.fork(own, belowArguments(), shared)
	if errno != 0 {
		return 0, newError("fork", "", errno)
	}
	return pid, nil
}

// thread is the state of the thread that becomes the child. It is in the script's room.
type thread struct {
	blocked            sigset    // signals
	handled, unhandled sigaction // what is done with one, and what will be
	local              uintptr   // the end of its local memory
}

// span is a piece of memory.
type span struct{ start, size uintptr }

// around returns what is up to room bytes before and after an address.
//
//go:nosplit
func around(address, room uintptr) span {
	start := address - min(address, room)
	return span{start, address + room - start}
}

// belowArguments is all memory but what the kernel has put at its upper end, of which it
// reads some when it is asked for a process's arguments. (If os.Args was replaced, it is
// less than that.)
func belowArguments() span {
	if len(os.Args) == 0 {
		return span{}
	}
	end := uintptr(unsafe.Pointer(unsafe.StringData(os.Args[0])))
	return span{0, end - min(end, argumentsRoom)}
}

const (
	// argumentsRoom holds the pointers to the arguments, which are below them: both and the
	// environment have half of it.
	argumentsRoom = 1 << 20
	// imageRoom holds all of the program, as seen from within: what is there of other
	// things besides is only inherited without need.
	imageRoom = 128 << 20
	// stackRoom is inherited on both sides of where the stack is: a function that may not
	// let it grow gets along with 800 bytes.
	stackRoom = 16 << 10
	// localSize is how much of the thread's local memory Go uses, at its end.
	localSize = 8
)

// image is somewhere in the program.
var image byte

// inherit says what a child gets of a piece of memory.
//
//go:nosplit
func (s span) inherit(how uintptr) syscall.Errno {
	_, _, errno := syscall.RawSyscall6(sysMinherit, s.start, s.size, how, 0, 0, 0)
	return errno
}

// fork forks, and is the child, which inherits of private only its stack's memory, and
// what is shared.
//
// In the child nothing may be allocated, no pointer stored, no function called but the
// system call and those that need no stack of their own (go:nosplit): hence one long
// function. Go's own preparation of a child needs the heap, and is not used.
//
//go:norace
//go:noinline
func (c *child) fork(own *thread, private span, shared []span) (int, syscall.Errno) {
	var (
		control         = c.control
		found           uintptr // the path of the program
		missing         = syscall.ENOENT
		st              *step
		r, n, fd, digit uintptr
		errno, allowed  syscall.Errno
		text            *[len(PIDMark)]byte
		refused         bool
	)
	_, _, _ = syscall.RawSyscall6(sysSigprocmask, sigBlock, 0, uintptr(unsafe.Pointer(&own.blocked)), 0, 0, 0)
	runtimeBeforeFork() // blocks all signals; from here on the stack stays where it is
	errno = private.inherit(inheritNone)
	if errno == 0 {
		errno = around(uintptr(unsafe.Pointer(&private)), stackRoom).inherit(inheritCopy)
	}
	// Compiled code on amd64 reads from thread-local memory, which Go has in its heap,
	// what it keeps in a register elsewhere. In the child nothing uses what it reads.
	if runtime.GOARCH == "amd64" && errno == 0 {
		_, _, errno = syscall.RawSyscall6(sysSysarch, amd64GetFsbase, uintptr(unsafe.Pointer(&own.local)), 0, 0, 0, 0)
		if errno == 0 {
			errno = span{own.local - localSize, localSize}.inherit(inheritCopy)
		}
	}
	for i := 0; errno == 0 && i < len(shared); i++ {
		errno = shared[i].inherit(inheritCopy)
	}
	if errno == 0 {
		r, _, errno = syscall.RawSyscall6(sysFork, 0, 0, 0, 0, 0, 0)
	}
	if errno != 0 || r != 0 {
		_ = private.inherit(inheritCopy) // as it was, and as it can be set again
		runtimeAfterFork()
		return int(r), errno
	}
	// A signal must not find what handled it in the parent.
	for n = 1; n <= lastSignal; n++ {
		_, _, errno = syscall.RawSyscall6(sysSigaction, n, 0, uintptr(unsafe.Pointer(&own.handled)), 0, 0, 0)
		if errno == 0 && own.handled.handler > sigIgn {
			_, _, _ = syscall.RawSyscall6(sysSigaction, n, uintptr(unsafe.Pointer(&own.unhandled)), 0, 0, 0, 0)
		}
	}
	_, _, _ = syscall.RawSyscall6(sysSigprocmask, sigSetmask, uintptr(unsafe.Pointer(&own.blocked)), 0, 0, 0, 0)
	for i := range c.steps {
		st, errno = &c.steps[i], 0
		switch st.op {
		case opCall, opTry, opRetry:
			if st.op == opRetry && !refused {
				continue
			}
			_, _, errno = syscall.RawSyscall6(st.trap, st.args[0].n+uintptr(st.args[0].p), st.args[1].n+uintptr(st.args[1].p),
				st.args[2].n+uintptr(st.args[2].p), st.args[3].n+uintptr(st.args[3].p), st.args[4].n+uintptr(st.args[4].p), st.args[5].n)
			if st.op == opTry {
				refused = errno == syscall.EACCES || errno == syscall.EPERM
				if refused {
					errno = 0
				}
			}
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
		_, _, _ = syscall.RawSyscall6(sysWrite, control, uintptr(unsafe.Pointer(unsafe.SliceData(st.said))), uintptr(len(st.said)), 0, 0, 0)
		_, _, _ = syscall.RawSyscall6(sysExit, ScriptFailed, 0, 0, 0, 0, 0)
	}
	for {
		_, _, _ = syscall.RawSyscall6(sysExit, 0, 0, 0, 0, 0, 0)
	}
}
