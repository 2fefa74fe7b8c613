package stage

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"jailshim/jailctl/kernel"
)

// Config tells a stage which process to become.
type Config struct {
	// JID is the jail to attach to, Jail its descriptor where jails have such.
	JID  int
	Jail *os.File
	// Network is what the process asks of the jail's own network.
	Network []kernel.Request

	Args       []string // at least one; the program is looked up in PATH of Env
	Env        []string
	Cwd        string // absolute, in the jail
	UID, GID   int
	Groups     []int
	Umask      *uint32
	Rlimits    []Rlimit
	NoNewPrivs bool
	LoginClass string // empty: keep

	// Stdin, Stdout and Stderr are the program's. Nil is /dev/null. With
	// Terminal all are the terminal's slave.
	Stdin, Stdout, Stderr *os.File
	Terminal              bool
	// Keep are passed on to the program, from descriptor 3 on.
	Keep []*os.File

	// Wait makes the stage wait for Go, or, with a Listener, for somebody who calls
	// GoAt.
	Wait     bool
	Listener *os.File
}

// Rlimit is a resource limit by its number in sys/resource.h.
type Rlimit struct {
	Resource int
	kernel.Rlimit
}

// name is the title of a stage in process lists.
const name = "jailshim: first stage"

// script is all that a stage does. The files are the caller's descriptors that
// become the child's: streams, Keep, then the others, the last being the socket.
func (c *Config) script(files []int) *kernel.Script {
	keep := streams + len(c.Keep)
	listener, jail := -1, -1
	next := keep
	if c.Listener != nil {
		listener = next
		next++
	}
	if c.Jail != nil {
		jail = next
	}
	s := new(kernel.Script)
	s.Descriptors(files, keep)
	s.Title(name)
	s.Session(c.Terminal)
	s.AnyCPU()
	s.Attach(c.JID, jail)
	s.Requests(c.Network)
	s.Find(c.Args[0], c.Cwd, c.Env)
	if c.Wait {
		s.Ready()
		s.Await()
	}
	if listener >= 0 {
		s.Accept(listener)
	}
	c.become(s)
	s.Exec(c.Args, c.Env)
	return s
}

// streams are the standard input, output and error.
const streams = 3

// become gives the process the attributes of the program. The order matters: the
// login class and hard limits need root, and what comes after the user id has
// changed must not.
func (c *Config) become(s *kernel.Script) {
	if c.LoginClass != "" {
		s.LoginClass(c.LoginClass)
	}
	for _, l := range c.Rlimits {
		s.Rlimit(l.Resource, l.Rlimit)
	}
	if c.Umask != nil {
		s.Umask(int(*c.Umask))
	}
	if c.NoNewPrivs {
		s.NoNewPrivs()
	}
	// Root may enter folders that the user may not, and on NFS the user some that root may not.
	s.TryChdir(c.Cwd)
	s.User(c.UID, c.GID, c.Groups)
	s.RetryChdir(c.Cwd)
}

// files returns the descriptors of script, without the socket.
func (c *Config) files(null *os.File) []int {
	var fds []int
	for _, f := range []*os.File{c.Stdin, c.Stdout, c.Stderr} {
		if f == nil {
			f = null
		}
		fds = append(fds, int(f.Fd()))
	}
	for _, f := range c.Keep {
		fds = append(fds, int(f.Fd()))
	}
	for _, f := range []*os.File{c.Listener, c.Jail} {
		if f != nil {
			fds = append(fds, int(f.Fd()))
		}
	}
	return fds
}

// null opens /dev/null if a stream is missing. Package os would set it up to be waited for,
// and wake a thread for it, which takes as long as to fork.
func (c *Config) null() (*os.File, error) {
	if c.Stdin != nil && c.Stdout != nil && c.Stderr != nil {
		return nil, nil
	}
	for {
		fd, err := unix.Open(os.DevNull, unix.O_RDWR|unix.O_CLOEXEC, 0)
		switch {
		case err == nil:
			return os.NewFile(uintptr(fd), os.DevNull), nil
		case !errors.Is(err, unix.EINTR):
			return nil, fmt.Errorf("streams of the first stage: %s: %w", os.DevNull, err)
		}
	}
}
