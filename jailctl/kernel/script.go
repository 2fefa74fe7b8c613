package kernel

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Script is what a forked child does: system calls, one after the other, and at
// the end the execution of a program. It is worked out in full before the fork,
// because a child of a program with threads may do nothing but calls: another
// thread may have held any lock that the Go runtime needs. In exchange it starts as
// fast as the kernel forks.
//
// The methods add steps, in the order in which they are to be done. What they are
// given must be valid: an error is returned by [Script.Fork]. A Script is good for
// one fork.
//
// The child answers on its control descriptor: once for [Script.Ready], and with
// the step that failed, after which it ends with status [ScriptFailed].
//
// It inherits none of Go's heap but a few pages around its stack. So root in a jail finds
// little there of what the caller knows of others, and the kernel need not make the caller's
// memory one that is copied on the next write, which would cost it a fault for each page
// that it goes on using.
type Script struct {
	steps   []step
	control int // in the child
	open    int // how many descriptors are, the first ones
	err     error

	// What the child reads is in the room, which Fork gives back.
	room  room
	child *child
}

// ScriptFailed is the exit status of a child that could not do a step.
const ScriptFailed = 125

// step is one thing that the child does.
type step struct {
	op    op
	trap  uintptr
	args  [6]argument
	allow []syscall.Errno // are no failure
	what  string          // it is, for the error
	said  []byte          // what the kernel says of its failure, in the room; a NUL goes before
}

// argument is a number, or the address of something in the script's room.
type argument struct {
	n uintptr
	p unsafe.Pointer
}

type op int

const (
	opCall   op = iota // a system call
	opTry              // one that may be refused to who the child is
	opRetry            // one that is made if the one tried last was refused
	opSocket           // one that opens a descriptor, which becomes the fourth argument
	opPid              // writes the child's pid in decimal to the first argument
	opFind             // is the first argument a program? The first that is will be executed
	opFound            // was there one?
	opReady            // answers that all is well so far
	opAwait            // reads a byte from the control descriptor; at its end, ends
	opAccept           // makes a connection to the first argument, of which it has read a byte, the control descriptor
	opExec             // executes the program; the first argument is the environment's, the second the program's
)

func (s *Script) add(what string, trap uintptr, args ...argument) *step {
	st := step{op: opCall, trap: trap, what: what}
	copy(st.args[:], args)
	s.steps = append(s.steps, st)
	return &s.steps[len(s.steps)-1]
}

func number(n int) argument { return argument{n: uintptr(n)} }

// pointer returns the address of the first byte of b for a system call, nil if
// there is none. Converted to uintptr it may be in the argument list of Syscall6
// alone, which keeps what it points to.
func pointer(b []byte) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(b)) }

// address is that of the first byte of b, or none.
func address(b []byte) argument { return argument{p: pointer(b)} }

// bytes is the address of a copy of b, or none.
func (s *Script) bytes(b []byte) argument { return argument{p: pointer(inRoom(s, b))} }

// text returns a string as the kernel reads it, in the script's room.
func (s *Script) text(v string) []byte {
	if strings.ContainsRune(v, 0) {
		s.fail(fmt.Errorf("%q has a NUL character: %w", v, syscall.EINVAL))
	}
	return inRoom(s, append([]byte(v), 0))
}

// Steps tells what the child does, in order.
func (s *Script) Steps() []string {
	var all []string
	for _, st := range s.steps {
		all = append(all, st.what)
	}
	return all
}

func (s *Script) fail(err error) {
	if s.err == nil {
		s.err = err
	}
}

// Title sets the arguments that process lists show.
func (s *Script) Title(title string) {
	b := s.text(title)
	oid := inRoom(s, []int32{ctlKern, kernProc, kernProcArgs, -1})
	st := s.add("set the title", sysSysctl, argument{p: unsafe.Pointer(&oid[0])}, number(len(oid)), argument{}, argument{}, address(b), number(len(b)))
	// Kernels that do not know -1 leave the title as it was.
	st.allow = []syscall.Errno{syscall.ESRCH}
}

// Descriptors makes the caller's descriptors the child's, from 0 on, and closes
// all others. Those from keep on close when the program is executed. The last
// one is the control descriptor.
func (s *Script) Descriptors(files []int, keep int) {
	// None may be overwritten by another before it has its place.
	above := len(files)
	for _, fd := range files {
		above = max(above, fd+1)
	}
	from := slices.Clone(files)
	for i, fd := range files {
		if fd < len(files) {
			s.add("move a descriptor", sysFcntl, number(fd), number(fDup2FDCloexec), number(above+i))
			from[i] = above + i
		}
	}
	for i, fd := range from {
		how := fDup2FD
		if i >= keep {
			how = fDup2FDCloexec
		}
		s.add("set up a descriptor", sysFcntl, number(fd), number(how), number(i))
	}
	s.add("close descriptors", sysCloseRange, number(len(files)), number(math.MaxUint32), number(0))
	s.open = len(files)
	s.control = len(files) - 1
}

// Session makes the child lead a session of its own; with terminal, descriptor 0 is
// its controlling terminal.
func (s *Script) Session(terminal bool) {
	s.add("begin a session", sysSetsid)
	if terminal {
		s.add("set the controlling terminal", sysIoctl, number(0), number(tiocSCTTY))
	}
}

// AnyCPU puts the child into the set of CPUs that processes are born into. It frees
// it from what its parent was bound to, which may have no CPU in common with the
// jail that it attaches to.
func (s *Script) AnyCPU() {
	s.add("reset the processor set", sysCpusetSetid, number(cpuWhichPID), number(-1), number(cpusetDefault))
}

// Attach puts the child into a jail: by the descriptor fd of its own, or by id if
// that is negative. Its root and working directory become the jail's root. EPERM:
// it has a directory open, or is not root. ENOENT or EINVAL: the jail is gone or
// dying. EDEADLK: none of its CPUs is the jail's; see AnyCPU.
//
// Source: jail_attach(2), do_jail_attach in sys/kern/kern_jail.c.
func (s *Script) Attach(jid, fd int) {
	const what = "attach to the jail"
	if fd < 0 {
		s.add(what, sysJailAttach, number(jid))
		return
	}
	s.add(what, sysJailAttachJD, number(fd))
}

// LoginClass sets the login class that resource rules see. It sets no limits.
func (s *Script) LoginClass(name string) {
	if len(name) >= loginClassSize {
		s.fail(fmt.Errorf("login class %q: %w", name, syscall.ENAMETOOLONG))
	}
	s.add(fmt.Sprintf("set login class %q", name), sysSetloginclass, address(s.text(name)))
}

// Rlimit sets a resource limit, by a number of [RlimitNumbers].
func (s *Script) Rlimit(resource int, r Rlimit) {
	s.add(fmt.Sprintf("set resource limit %d", resource), sysSetrlimit, number(resource), s.bytes(encodeRlimit(r)))
}

// Umask sets the mask for new files.
func (s *Script) Umask(mask int) { s.add("set the umask", sysUmask, number(mask)) }

// NoNewPrivs makes the child gain nothing from set-user-id and set-group-id
// programs. It can't be undone.
//
// Source: procctl(2) PROC_NO_NEW_PRIVS_CTL.
func (s *Script) NoNewPrivs() {
	s.add("forbid new privileges", sysProcctl, number(idPID), number(0), number(procNoNewPrivsCtl),
		s.bytes(le.AppendUint32(nil, procNoNewPrivsEnable)))
}

// User makes the child another user: all its user and group ids, and up to 1023
// supplementary groups.
func (s *Script) User(uid, gid int, groups []int) {
	b, err := encodeGroups(gid, groups)
	if err != nil {
		s.fail(err)
	}
	if uid < 0 || int64(uid) > math.MaxUint32 {
		s.fail(fmt.Errorf("user %d: %w", uid, syscall.EINVAL))
	}
	s.add("set groups", sysSetgroups14, number(len(b)/4), s.bytes(b))
	s.add(fmt.Sprintf("become group %d", gid), sysSetresgid, number(gid), number(gid), number(gid))
	s.add(fmt.Sprintf("become user %d", uid), sysSetresuid, number(uid), number(uid), number(uid))
}

// TryChdir changes the working directory. That the child may not go there is no failure:
// RetryChdir tries again.
func (s *Script) TryChdir(path string) { s.chdir(path).op = opTry }

// RetryChdir changes the working directory if TryChdir was refused it.
func (s *Script) RetryChdir(path string) { s.chdir(path).op = opRetry }

func (s *Script) chdir(path string) *step {
	return s.add("change to the working directory "+path, sysChdir, address(s.text(path)))
}

// Mount mounts a file system on a name of the folder that is open as the child's
// descriptor fd, its working directory from then on.
func (s *Script) Mount(fd int, params []Param, flags int) {
	buffers, err := encodeOptions(params, nil)
	if err != nil {
		s.fail(err)
		return
	}
	said := inRoom(s, make([]byte, 1+errmsgSize))
	iov := make([]unix.Iovec, len(buffers))
	for i, b := range buffers {
		b = inRoom(s, b)
		if i == len(iov)-1 {
			b = said[1:]
		}
		if len(b) > 0 {
			iov[i].Base = &b[0]
			iov[i].SetLen(len(b))
		}
	}
	s.add("change to the folder", sysFchdir, number(fd))
	st := s.add("mount", sysNmount, argument{p: unsafe.Pointer(unsafe.SliceData(inRoom(s, iov)))}, number(len(iov)), number(flags))
	st.said = said
}

// Ready answers that all is well so far.
func (s *Script) Ready() { s.add("answer", 0).op = opReady }

// Await waits for a byte on the control descriptor. If it is closed instead, the
// child ends.
func (s *Script) Await() { s.add("wait", 0).op = opAwait }

// Accept closes the control descriptor and waits for somebody to connect to the
// listening socket fd of the child and to send a byte. That connection is the
// control descriptor from then on.
func (s *Script) Accept(fd int) {
	s.add("close the control socket", sysClose, number(s.control))
	st := s.add("wait for a connection", 0, number(fd))
	st.op = opAccept
}

// An answer is the errno of the step that failed, 0 if all is well; whether the step
// was about the program; and what the step is, to the end of the stream, with what the
// kernel said of it behind a NUL.
const (
	answerSize       = 8 // without the text
	offAnswerErrno   = 0 // uint32
	offAnswerProgram = 4 // bool
)

// ReadAnswer reads what a child answers: nil is that all is well so far, a
// [*StepError] the failed step. io.EOF is that it has said nothing and ended, or has
// become the program.
func ReadAnswer(r io.Reader) error {
	var head [answerSize]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	errno := syscall.Errno(le.Uint32(head[offAnswerErrno:]))
	if errno == 0 {
		return nil
	}
	what, err := io.ReadAll(io.LimitReader(r, maxWhat))
	if err != nil {
		return err
	}
	what, said, _ := bytes.Cut(what, []byte{0})
	return &StepError{Step: string(what), Errno: errno, Program: head[offAnswerProgram] != 0, detail: DecodeString(said)}
}

// putAnswer makes an answer of the outcome of a step. It is called in the child.
//
//go:nosplit
func putAnswer(b *[answerSize]byte, errno syscall.Errno, o op) {
	for i := range 4 {
		b[offAnswerErrno+i] = byte(errno >> (8 * i))
	}
	b[offAnswerProgram] = 0
	if o == opFound || o == opExec {
		b[offAnswerProgram] = 1
	}
}

// maxWhat bounds the text of an answer: it may hold a path or a variable.
const maxWhat = 16 << 10

// StepError is a step that a child could not do.
type StepError struct {
	Step    string
	Errno   syscall.Errno
	Program bool // it was to find or to execute the program
	detail  string
}

func (e *StepError) Error() string { return e.Step + ": " + e.Errno.Error() }

// Unwrap returns the errno.
func (e *StepError) Unwrap() error { return e.Errno }
