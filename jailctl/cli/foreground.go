package cli

import (
	"os"
	"os/signal"
	"syscall"

	"jailshim/driver"
)

// forwarded are the signals that a process in the foreground gets in place of
// this program. Those of job control act on this program, whose shell sent them.
var forwarded = []os.Signal{
	syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGABRT, syscall.SIGALRM,
	syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2,
}

// statusOfSignal plus its number is the exit status for an end by a signal.
const statusOfSignal = 128

// foreground is a process that this program waits for: it gets this program's
// signals and, if it has a terminal, the use of this program's.
type foreground struct {
	process  *os.Process
	signals  chan os.Signal
	terminal *terminal // nil without one
}

// attach takes a process, a child, into the foreground. It closes the console if
// it fails.
func (p *Program) attach(child driver.Process) (*foreground, error) {
	process, err := os.FindProcess(child.Pid)
	if err != nil {
		return nil, err
	}
	f := &foreground{process: process, signals: make(chan os.Signal, 64)}
	if child.Console != nil {
		if f.terminal, err = p.openTerminal(child.Console); err != nil {
			child.Console.Close()
			return nil, err
		}
	}
	signal.Notify(f.signals, append([]os.Signal{syscall.SIGWINCH}, forwarded...)...)
	return f, nil
}

// wait waits for the process, and returns its exit status. Signals that come after that
// have no effect, until release: a user who sends a second one wants no container that
// is half removed.
func (f *foreground) wait() (int, error) {
	type result struct {
		state *os.ProcessState
		err   error
	}
	done := make(chan result, 1)
	// goroutine: of this function; ends with the process; waited for below.
	go func() {
		s, err := f.process.Wait()
		done <- result{s, err}
	}()
	for {
		select {
		case s := <-f.signals:
			if s == syscall.SIGWINCH {
				f.terminal.resize()
				continue
			}
			// One that has just ended needs no signal.
			_ = f.process.Signal(s)
		case r := <-done:
			if r.err != nil {
				return 0, r.err
			}
			ws := r.state.Sys().(syscall.WaitStatus)
			if ws.Signaled() {
				return statusOfSignal + int(ws.Signal()), nil
			}
			return ws.ExitStatus(), nil
		}
	}
}

// closeTerminal gives the terminal back. What is still in it is copied before. A second
// call does nothing.
func (f *foreground) closeTerminal() {
	f.terminal.close()
	f.terminal = nil
}

// release gives signals and terminal back. A second call does nothing.
func (f *foreground) release() {
	if f == nil {
		return
	}
	f.closeTerminal()
	signal.Stop(f.signals)
}
