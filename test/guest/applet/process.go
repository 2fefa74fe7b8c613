package applet

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic(usageError(fmt.Sprintf("%q is not a number", s)))
	}
	return n
}

// duration understands fractions of a second, and "inf" as sleep(1) of some
// systems does and of others does not.
func duration(s string) time.Duration {
	if s == "inf" {
		return math.MaxInt64
	}
	seconds, err := strconv.ParseFloat(s, 64)
	if err != nil {
		panic(usageError(fmt.Sprintf("%q is not a number of seconds", s)))
	}
	return time.Duration(seconds * float64(time.Second))
}

func exit(args []string) int { return number(arg(args, 0)) }

// die ends the process by a signal, which a container's first process can't do
// to itself on Linux: the kernel drops signals that pid 1 sends itself.
func die(args []string) int {
	sig := syscall.Signal(number(arg(args, 0)))
	signal.Reset(sig)
	if err := unix.Kill(os.Getpid(), sig); err != nil {
		return fail(err)
	}
	<-time.After(10 * time.Second) // the signal is being delivered to some thread
	return 0
}

// onTerm returns a channel that gets SIGTERM: as pid 1 of a container there is
// no default action, so the programs that a test stops must act on it.
func onTerm() <-chan os.Signal {
	c := make(chan os.Signal, 1)
	signal.Notify(c, unix.SIGTERM)
	return c
}

func sleep(args []string) int {
	term := onTerm()
	select {
	case <-time.After(duration(arg(args, 0))):
		return 0
	case <-term:
		return 128 + int(unix.SIGTERM)
	}
}

func hold([]string) int {
	term := onTerm()
	children := make(chan os.Signal, 1)
	signal.Notify(children, unix.SIGCHLD)
	for {
		for {
			// EINTR included: whatever is left is seen in the next round.
			if pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); pid <= 0 || err != nil {
				break
			}
		}
		select {
		case <-children:
		case <-term:
			return 0
		}
	}
}

func signalTrap([]string) int {
	c := make(chan os.Signal, 128)
	signal.Notify(c)
	fmt.Println("ready")
	for s := range c {
		// The Go runtime interrupts its own threads with SIGURG.
		if s != unix.SIGURG {
			fmt.Println("signal", int(s.(syscall.Signal)))
		}
	}
	return 0
}

// spawnGrandchild leaves behind a process that keeps the container's stdout and
// stderr open, in a session of its own as a daemon would.
func spawnGrandchild(args []string) int {
	command := "sleep"
	if arg(args, 0) == "-ignore-term" {
		command, args = "signal-trap", args[1:]
	}
	self, err := os.Executable()
	if err != nil {
		return fail(err)
	}
	child := exec.Command(self, command, arg(args, 0))
	child.Stdout, child.Stderr = os.Stdout, os.Stderr
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := child.Start(); err != nil {
		return fail(err)
	}
	fmt.Println("grandchild started")
	return 0
}

func alloc(args []string) int {
	term := onTerm()
	b, err := unix.Mmap(-1, 0, number(arg(args, 0)), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return fail(err)
	}
	for i := 0; i < len(b); i += os.Getpagesize() {
		b[i] = 1
	}
	fmt.Println("allocated", len(b))
	<-term
	return 0
}
