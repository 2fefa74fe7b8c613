package kernel

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"jailshim/internal/need"
)

func TestProcesses_HaveThisOne(t *testing.T) {
	procs, err := Processes()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(procs, func(p Process) bool { return p.Pid == os.Getpid() })
	if i < 0 {
		t.Fatalf("%d processes without this one", len(procs))
	}
	p := procs[i]
	age := time.Since(p.Start)
	if p.PPid != os.Getppid() || p.Uid != os.Geteuid() || p.Jid != 0 || p.RSS <= 0 || p.VSize == 0 ||
		p.Threads < 1 || p.Comm == "" || p.Killed || age < -time.Minute || age > time.Hour {
		t.Errorf("got %+v", p)
	}
	if p.Stat != ProcRun && p.Stat != ProcSleep {
		t.Errorf("state %d", p.Stat)
	}
	same, err := ProcessByID(p.Pid)
	if err != nil || same.Pid != p.Pid || same.Start != p.Start || same.Comm != p.Comm {
		t.Errorf("got %+v, %v, want %+v", same, err, p)
	}
}

func TestProcessByID_None_ESRCH(t *testing.T) {
	s := startStage(t, testBinary(t), "wait")
	s.leave.Close()
	eventually(t, "the process has ended", func() bool {
		p, err := ProcessByID(s.Process.Pid)
		if err != nil {
			t.Fatal(err)
		}
		return p.Stat == ProcZombie
	})
	if p, err := ProcessByID(s.Process.Pid); err != nil || p.RSS != 0 || p.Xstat != stageStatus<<8 {
		t.Errorf("the zombie is %+v, %v", p, err)
	}
	if _, err := s.Process.Wait(); err != nil {
		t.Fatal(err)
	}
	if p, err := ProcessByID(s.Process.Pid); !errors.Is(err, unix.ESRCH) {
		t.Errorf("got %+v, %v, want ESRCH", p, err)
	}
}

// stageParent attaches to a jail with the host's root, starts a process there, and
// leaves it an orphan.
func stageParent() error {
	if err := attachSelf(); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	in, out, err := os.Pipe()
	if err != nil {
		return err
	}
	cmd := exec.Command(self)
	cmd.Env = []string{stageVar + "=wait"}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, out, os.Stderr
	// The writing side of its standard input is its own, so it never ends by itself.
	cmd.ExtraFiles = []*os.File{out}
	if err := cmd.Start(); err != nil {
		return err
	}
	return ready(fmt.Sprint(cmd.Process.Pid))
}

// A container's processes end as the reaper sees it: orphans become its children,
// are found by the jail and by the tree they come from, killed, and waited for.
func TestReaper_OrphansOfAJail(t *testing.T) {
	j := newJail(t, String("path", "/"))
	if err := BecomeReaper(); err != nil {
		t.Fatal(err)
	}
	if err := BecomeReaper(); err != nil {
		t.Errorf("again: %v", err)
	}
	status, err := ReaperStatus()
	if err != nil || !status.Owned || status.Reaper != os.Getpid() {
		t.Fatalf("got %+v, %v, want a reaper %d", status, err, os.Getpid())
	}
	_, err = WaitJail(j.ID, false)
	wantErrno(t, "WaitJail of an empty jail", err, unix.ECHILD)
	parent := jailStage(t, j, "parent")
	head := parent.Process.Pid
	var orphan int
	if _, err := fmt.Sscan(parent.said, &orphan); err != nil {
		t.Fatalf("the stage said %q: %v", parent.said, err)
	}
	if r, err := WaitJail(j.ID, false); err != nil || r != (WaitResult{}) {
		t.Errorf("while all run: %+v, %v", r, err)
	}
	parent.leave.Close()
	var r WaitResult
	eventually(t, "the parent has ended", func() bool {
		if r, err = WaitPid(head, true); err != nil {
			t.Fatal(err)
		}
		return r.Pid != 0
	})
	if r.Pid != head || r.Status != stageStatus || r.Signaled || r.UserTime+r.SystemTime <= 0 {
		t.Errorf("the parent ended as %+v", r)
	}
	if again, err := WaitPid(head, false); err != nil || again != r {
		t.Errorf("after leaving the zombie: %+v, %v, want %+v", again, err, r)
	}
	_, err = WaitPid(head, false)
	wantErrno(t, "WaitPid of a reaped child", err, unix.ECHILD)
	wantOrphan(t, orphan, head)

	if killed, err := ReapKill(unix.SIGSTOP, head); killed != 1 || err != nil {
		t.Errorf("SIGSTOP reached %d, %v", killed, err)
	}
	eventually(t, "the orphan has stopped", func() bool { p, err := ProcessByID(orphan); return err == nil && p.Stat == ProcStop })
	if r, err := WaitJail(j.ID, false); err != nil || r != (WaitResult{}) {
		t.Errorf("a stopped process is waited for: %+v, %v", r, err)
	}
	if killed, err := ReapKill(unix.SIGKILL, head); killed != 1 || err != nil {
		t.Errorf("SIGKILL reached %d, %v", killed, err)
	}
	eventually(t, "the orphan has ended", func() bool {
		if r, err = WaitJail(j.ID, true); err != nil {
			t.Fatal(err)
		}
		return r.Pid != 0
	})
	if r.Pid != orphan || r.Status != 137 || !r.Signaled || r.Signal != unix.SIGKILL {
		t.Errorf("the orphan ended as %+v", r)
	}
	if killed, err := ReapKill(unix.SIGKILL, head); killed != 0 || err != nil {
		t.Errorf("with nothing but a zombie, SIGKILL reached %d, %v", killed, err)
	}
	if r, err := WaitJail(j.ID, false); err != nil || r.Pid != orphan {
		t.Errorf("reaping the orphan: %+v, %v", r, err)
	}
	_, err = WaitJail(j.ID, false)
	wantErrno(t, "WaitJail with nothing left", err, unix.ECHILD)
	if err := parent.Process.Release(); err != nil { // it was waited for above
		t.Error(err)
	}
	parent.Process = nil
}

// wantOrphan checks that a process is listed as this one's, by the tree it comes
// from.
func wantOrphan(t *testing.T, pid, head int) {
	t.Helper()
	pids, err := ReaperPids()
	i := slices.IndexFunc(pids, func(p ReapPid) bool { return p.Pid == pid })
	if err != nil || i < 0 || pids[i].Subtree != head || pids[i].Flags&ReapChild == 0 {
		t.Errorf("got %+v, %v, want the orphan %d of %d", pids, err, pid, head)
	}
	p, err := ProcessByID(pid)
	if err != nil || p.Reaper != os.Getpid() || p.ReapSubtree != head || p.PPid != os.Getpid() {
		t.Errorf("got %+v, %v, want the orphan of %d", p, err, head)
	}
}

func TestReapKill_BadSubtree(t *testing.T) {
	need.Root(t)
	if err := BecomeReaper(); err != nil {
		t.Fatal(err)
	}
	_, err := ReapKill(unix.SIGKILL, 0)
	wantErrno(t, "subtree 0", err, unix.EINVAL)
	if killed, err := ReapKill(unix.SIGKILL, os.Getpid()); killed != 0 || err != nil {
		t.Errorf("a subtree that does not exist: %d, %v", killed, err)
	}
}

// stageTerminal says the size of its session's terminal.
func stageTerminal() error {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	size, err := unix.IoctlGetWinsize(int(tty.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return err
	}
	fmt.Print(size.Row, " ", size.Col)
	return nil
}

// openSlave returns the master and the slave of a new terminal.
func openSlave(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, path, err := OpenPTY()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	if !strings.HasPrefix(path, "/dev/pts/") {
		t.Errorf("slave %q", path)
	}
	if flags, err := unix.FcntlInt(uintptr(descriptor(t, master)), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("flags of the master: %#x, %v, want close-on-exec", flags, err)
	}
	slave, err = os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { slave.Close() })
	return master, slave
}

// descriptor returns the number of a file's descriptor. Fd would make it blocking.
func descriptor(t *testing.T, f *os.File) (fd int) {
	t.Helper()
	if err := withFD(f, func(n int) error { fd = n; return nil }); err != nil {
		t.Fatal(err)
	}
	return fd
}

func TestPTY_OutputIsWhole(t *testing.T) {
	master, slave := openSlave(t)
	type result struct {
		b   []byte
		err error
	}
	read := make(chan result, 1)
	go func() {
		b, err := io.ReadAll(master)
		read <- result{b, err}
	}()
	if _, err := slave.WriteString("x"); err != nil {
		t.Fatal(err)
	}
	// The close waits for the output to be read, for a second at least.
	slave.Close()
	if r := <-read; r.err != nil || string(r.b) != "x" {
		t.Errorf("read %q, %v, want x and the end", r.b, r.err)
	}
}

func TestPTY_OfASession(t *testing.T) {
	master, slave := openSlave(t)
	if err := SetWinsize(master, 40, 132); err != nil {
		t.Fatal(err)
	}
	fd := descriptor(t, slave)
	r := play(t, part{stdin: fd, stage: "terminal", steps: func(s *Script) { s.Session(true) }})
	if r.err != nil || r.said != "40 132" {
		t.Errorf("the terminal of the session is %q, %v, want 40 132", r.said, r.err)
	}
	r = play(t, part{stdin: -1, stage: "terminal", steps: func(s *Script) { s.Session(true) }})
	wantStep(t, r.err, "set the controlling terminal", unix.ENOTTY)
}

// A Read of a master whose slave nobody opened must end when the master is closed.
func TestPTY_Close_EndsRead(t *testing.T) {
	master, _, err := OpenPTY()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { // goroutine: this test's; ends when the master is closed
		_, err := master.Read(make([]byte, 1))
		done <- err
	}()
	if err := master.Close(); err != nil {
		t.Error(err)
	}
	select {
	case err := <-done:
		if !errors.Is(err, os.ErrClosed) {
			t.Errorf("got %v, want ErrClosed", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("Read goes on after Close")
	}
}

func TestSetWinsize_NoTerminal(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	wantErrno(t, "a pipe", SetWinsize(r, 1, 1), unix.ENOTTY)
	wantErrno(t, "nil", SetWinsize(nil, 1, 1), syscall.EBADF)
}
