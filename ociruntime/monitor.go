package ociruntime

import (
	"errors"
	"os/exec"
	"runtime"
	"time"

	runc "github.com/containerd/go-runc"
)

// Starter runs commands so that nothing else takes their exit status.
type Starter interface {
	Start(*exec.Cmd) error
	Wait(*exec.Cmd) error
}

// UseStarter makes go-runc start its commands through s. Call it once, before
// the first container: go-runc keeps it in a package variable.
func UseStarter(s Starter) { runc.Monitor = &monitor{s} }

// monitor is go-runc's ProcessMonitor over a Starter.
type monitor struct{ starter Starter }

var _ runc.ProcessMonitor = (*monitor)(nil)

// Start implements runc.ProcessMonitor.
func (m *monitor) Start(cmd *exec.Cmd) (chan runc.Exit, error) {
	started := make(chan error, 1)
	exited := make(chan runc.Exit, 1)
	// goroutine: go-runc's call; ends with the command; waited for through
	// the channel.
	go m.run(cmd, started, exited)
	return exited, <-started
}

// StartLocked implements runc.ProcessMonitor: the command is started from a
// thread that lives as long as it does, because the death signal is the thread's.
func (m *monitor) StartLocked(cmd *exec.Cmd) (chan runc.Exit, error) {
	started := make(chan error, 1)
	exited := make(chan runc.Exit, 1)
	// goroutine: as in Start.
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		m.run(cmd, started, exited)
	}()
	return exited, <-started
}

func (m *monitor) run(cmd *exec.Cmd, started chan<- error, exited chan<- runc.Exit) {
	defer close(exited)
	err := m.starter.Start(cmd)
	started <- err
	if err != nil {
		return
	}
	status := 0
	if err := m.starter.Wait(cmd); err != nil {
		status = 255
		var e *exec.ExitError
		if errors.As(err, &e) && e.ExitCode() >= 0 {
			status = e.ExitCode()
		}
	}
	exited <- runc.Exit{Timestamp: time.Now(), Pid: cmd.Process.Pid, Status: status}
}

// Wait implements runc.ProcessMonitor.
func (m *monitor) Wait(_ *exec.Cmd, exited chan runc.Exit) (int, error) {
	return (<-exited).Status, nil
}
