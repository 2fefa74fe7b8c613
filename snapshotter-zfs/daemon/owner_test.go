package daemon

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// daemonArg makes the test program the daemon; arguments of the daemon's follow.
const daemonArg = "be-the-daemon"

// daemonMain is the process of a daemon that a test kills.
func daemonMain() int {
	p := &Program{Stdout: os.Stdout, Stderr: os.Stderr}
	return p.Run(context.Background(), os.Args[2:])
}

// process runs a daemon as a process of its own, until kill is called.
func (m *machine) process(t *testing.T) (pid int, kill func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0], append([]string{daemonArg}, m.args...)...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	must(t, cmd.Start())
	kill = func() {
		t.Helper()
		must(t, cmd.Process.Signal(unix.SIGKILL))
		_ = cmd.Wait() // it was killed
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		if c, err := net.Dial("unix", m.path("metrics")); err == nil { // the last one
			must(t, c.Close())
			return cmd.Process.Pid, kill
		}
		if time.Now().After(deadline) {
			kill()
			t.Fatal("the daemon does not listen")
		}
	}
}

// neighbour is the same dataset with another state folder and other sockets.
func (m *machine) neighbour(t *testing.T) *machine {
	t.Helper()
	dir, err := os.MkdirTemp("", "oz")
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	other := &machine{pool: m.pool, root: m.root, dir: dir}
	other.args = append(slices.Clone(m.args), "-state", filepath.Join(dir, "state"),
		"-socket", other.path("plugin"), "-admin", other.path("admin"), "-metrics", other.path("metrics"))
	return other
}

// refused runs a daemon and commands, which must all fail with certain words.
func (m *machine) refused(t *testing.T, words ...string) {
	t.Helper()
	for _, args := range [][]string{nil, {"-check"}, {"fsck"}} {
		status, _, errs := m.run(t, args...)
		for _, w := range words {
			if status != 1 || !strings.Contains(errs, w) {
				t.Errorf("%q: status %d, want 1 and %q: %s", args, status, w, errs)
			}
		}
	}
}

func TestDaemon_TwoOnOneDataset_TheSecondIsRefused(t *testing.T) {
	m := newMachine(t)
	m.mark(t)
	pid, kill := m.process(t)
	other := m.neighbour(t)
	other.refused(t, m.root, m.path("state"), fmt.Sprint("process ", pid))
	if status, out, errs := m.run(t, "status"); status != 0 {
		t.Errorf("the first one's status: %d, %s, %s", status, out, errs)
	}

	// The lock goes with the process, and what is the first one's stays its own.
	kill()
	other.refused(t, m.root, m.path("state"), "zfs inherit")
	s, stop := m.serve(t)
	if _, err := s.Prepare(t.Context(), "a", ""); err != nil {
		t.Error(err)
	}
	other.refused(t, m.root, m.path("state"), fmt.Sprint("process ", os.Getpid()))
	stop()

	mustRun(t, "zfs", "inherit", "io.jailshim:owner", m.root)
	s, _ = other.serve(t)
	if _, err := s.Prepare(t.Context(), "b", ""); err != nil {
		t.Error(err)
	}
}
