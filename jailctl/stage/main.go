package stage

import (
	"errors"
	"io"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"jailshim/jailctl/kernel"
	"jailshim/netsetup"
)

// Main is a stage. It does not return: the process becomes another program, or
// ends.
func Main(args []string) {
	fd, err := strconv.Atoi(args[1])
	if err != nil {
		os.Exit(exitUsage)
	}
	s := &child{socket: socket(fd)}
	unix.CloseOnExec(fd)
	if err := s.run(); err != nil {
		// Nobody may be there to read it.
		_ = writeMessage(s.socket, err.Reply)
	}
	os.Exit(exitFailed)
}

const (
	exitUsage  = 2
	exitFailed = 1
)

// socket is a descriptor without Go's poller: its read blocks a thread.
type socket int

func (s socket) Read(b []byte) (int, error) {
	for {
		n, err := unix.Read(int(s), b)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err == nil && n == 0 {
			return 0, io.EOF
		}
		return max(n, 0), err
	}
}

func (s socket) Write(b []byte) (int, error) {
	for {
		n, err := unix.Write(int(s), b)
		if !errors.Is(err, unix.EINTR) {
			return max(n, 0), err
		}
	}
}

// child is the stage itself.
type child struct {
	socket socket
	config Config
	jail   *os.File // the jail's descriptor; may be nil
}

func (s *child) run() *Error {
	if err := s.receive(); err != nil {
		return failed("receive the configuration", err)
	}
	if err := s.enter(); err != nil {
		return err
	}
	program, err := s.lookup()
	if err != nil {
		return err
	}
	if err := writeMessage(s.socket, Reply{}); err != nil {
		return failed("answer the runtime", err)
	}
	if !s.config.Run {
		if err := s.await(); err != nil {
			os.Exit(exitFailed) // nobody waits for an answer
		}
	}
	for _, h := range s.config.Hooks {
		if err := runHook(&h); err != nil {
			return failed("startContainer hook "+h.Path, err)
		}
	}
	if err := s.become(); err != nil {
		return err
	}
	err2 := unix.Exec(program, s.config.Args, s.config.Env)
	return &Error{Reply{Step: "exec " + strconv.Quote(program), Errno: errnoOf(err2), Text: err2.Error(), Missing: errors.Is(err2, unix.ENOENT)}}
}

// receive reads the Config and the jail's descriptor, which comes with its first
// byte.
func (s *child) receive() error {
	var first [1]byte
	rights := make([]byte, unix.CmsgSpace(4))
	var n, size int
	var err error
	for {
		n, size, _, _, err = unix.Recvmsg(int(s.socket), first[:], rights, 0)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		return err
	}
	if n == 0 {
		return io.EOF
	}
	messages, err := unix.ParseSocketControlMessage(rights[:size])
	if err != nil {
		return err
	}
	for _, m := range messages {
		fds, err := unix.ParseUnixRights(&m)
		if err != nil {
			return err
		}
		for _, fd := range fds {
			unix.CloseOnExec(fd)
			s.jail = os.NewFile(uintptr(fd), "jail")
		}
	}
	return readMessage(&prefixed{first[:], s.socket}, &s.config)
}

// prefixed reads some bytes before the rest.
type prefixed struct {
	bytes []byte
	rest  socket
}

func (p *prefixed) Read(b []byte) (int, error) {
	if len(p.bytes) == 0 {
		return p.rest.Read(b)
	}
	n := copy(b, p.bytes)
	p.bytes = p.bytes[n:]
	return n, nil
}

// enter attaches the process to the jail. From here on every path is the
// container's.
func (s *child) enter() *Error {
	// The mask of whoever started the runtime is not the container's, and one
	// that the jail's processors don't meet makes the attaching fail.
	if err := kernel.ResetCPUSet(); err != nil {
		return failed("reset the processor set", err)
	}
	if err := kernel.JailFromFile(s.jail, s.config.JID).Attach(); err != nil {
		return failed("attach to the jail", err)
	}
	if s.config.Loopback {
		if err := netsetup.Loopback(); err != nil {
			return failed("set up the loopback interface", err)
		}
	}
	return nil
}

// await waits for Go.
func (s *child) await() error {
	if s.config.Listen != 0 {
		unix.CloseOnExec(s.config.Listen)
		unix.Close(int(s.socket))
		for {
			fd, _, err := unix.Accept(s.config.Listen)
			if errors.Is(err, unix.EINTR) || errors.Is(err, unix.ECONNABORTED) {
				continue
			}
			if err != nil {
				return err
			}
			unix.CloseOnExec(fd)
			s.socket = socket(fd)
			var ok bool
			if readMessage(s.socket, &ok) == nil {
				return nil
			}
			// Whoever it was went away again.
			unix.Close(fd)
		}
	}
	var ok bool
	return readMessage(s.socket, &ok)
}

func failed(step string, err error) *Error {
	return &Error{Reply{Step: step, Errno: errnoOf(err), Text: err.Error()}}
}

func missing(name string, err error) *Error {
	return &Error{Reply{Step: "find program " + strconv.Quote(name), Errno: errnoOf(err), Text: err.Error(), Missing: true}}
}

func errnoOf(err error) syscall.Errno {
	var errno syscall.Errno
	errors.As(err, &errno)
	return errno
}
