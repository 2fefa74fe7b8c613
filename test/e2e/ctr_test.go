package e2e

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"jailshim/test/daemon"
	"jailshim/test/e2e/testbed"
)

// ctrRun returns a "ctr run".
func ctrRun(t *testing.T, s *testbed.Space, args ...string) *exec.Cmd {
	t.Helper()
	return s.Command(t, "ctr", append(s.RunArgs(t), args...)...)
}

// TestE2E_Ctr_RunRm_OutputStatusAndNothingLeft: the first command that anybody tries.
func TestE2E_Ctr_RunRm_OutputStatusAndNothingLeft(t *testing.T) {
	s := space(t)
	if got := run(t, ctrRun(t, s, "--rm", testbed.ImageName, "c1", "echo", "hello")); got != "hello\n" {
		t.Errorf("printed %q", got)
	}
	err := ctrRun(t, s, "--rm", testbed.ImageName, "c1", "exit", "42").Run()
	if got := exitCode(err); got != 42 {
		t.Errorf("exit status %d (%v), want 42", got, err)
	}
	err = ctrRun(t, s, "--rm", testbed.ImageName, "c1", "/no/such/program").Run()
	if exitCode(err) <= 0 {
		t.Errorf("a program that isn't there: %v", err)
	}
	s.ExpectClean(t)
	if left, err := s.Client.Containers(s.Ctx); err != nil || len(left) > 0 {
		t.Errorf("containers %v left (%v)", ids(left), err)
	}
}

// TestE2E_Ctr_StdinPiped_ReachesEnd: "echo data | ctr run … cat". ctr reads the end of
// its stdin as soon as somebody takes the data, and before its create call has
// returned it doesn't know whom to tell. With containerd's shim that is a race.
func TestE2E_Ctr_StdinPiped_ReachesEnd(t *testing.T) {
	testbed.Require(t, testbed.OurShim)
	s := space(t)
	cmd := ctrRun(t, s, "--rm", testbed.ImageName, "c1", "cat")
	cmd.Stdin = strings.NewReader("data\n")
	if got := run(t, cmd); got != "data\n" {
		t.Errorf("printed %q", got)
	}
}

// onTerminal starts a command on a terminal of the given size and returns what is on
// the screen, and the keyboard.
func onTerminal(t *testing.T, cmd *exec.Cmd, width, height uint16) (screen *testbed.Output, keyboard io.Writer) {
	t.Helper()
	master, slave, err := daemon.OpenTerminal()
	if err != nil {
		t.Fatal(err)
	}
	resizeTerminal(t, master, width, height)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := slave.Close(); err != nil {
		t.Error(err)
	}
	screen = testbed.NewOutput("the screen")
	done := make(chan struct{})
	// goroutine: of the test; ends when the terminal's last user has gone;
	// waited for by the cleanup.
	go func() {
		_, _ = io.Copy(screen, master) // ends with an error when the program does
		close(done)
	}()
	t.Cleanup(func() {
		testbed.Closed(t, "the terminal's users to go", done)
		if err := master.Close(); err != nil {
			t.Error(err)
		}
	})
	return screen, master
}

func resizeTerminal(t *testing.T, master *os.File, width, height uint16) {
	t.Helper()
	if err := unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: width, Row: height}); err != nil {
		t.Fatal(err)
	}
}

// TestE2E_Ctr_RunTerminal_SizeInputStatus: an interactive shell: the size is the
// window's from the beginning, and follows it; what is typed arrives; the exit
// status is the program's.
func TestE2E_Ctr_RunTerminal_SizeInputStatus(t *testing.T) {
	s := space(t)
	cmd := ctrRun(t, s, "--rm", "-t", testbed.ImageName, "c1", "winsize")
	screen, keyboard := onTerminal(t, cmd, 111, 37)
	screen.Await(t, "size 111x37")
	// ctr may not watch its window yet, so it is changed more than once.
	width := uint16(90)
	testbed.Until(t, "the new height on the screen", func() error {
		width++
		resizeTerminal(t, keyboard.(*os.File), width, 25)
		if !strings.Contains(screen.String(), "x25") {
			return fmt.Errorf("there is %q", screen)
		}
		return nil
	})
	run(t, s.Command(t, "ctr", "task", "kill", "--signal", "SIGTERM", "c1"))
	if err := cmd.Wait(); err != nil {
		t.Errorf("ctr: %v, on the screen: %q", err, screen)
	}

	cmd = ctrRun(t, s, "--rm", "-t", testbed.ImageName, "c2", "cat")
	screen, keyboard = onTerminal(t, cmd, 80, 24)
	testbed.Until(t, "the container to run", func() error {
		out, err := s.Command(t, "ctr", "task", "ls").Output()
		if err == nil && !strings.Contains(string(out), "RUNNING") {
			err = errShort
		}
		return err
	})
	for _, typed := range []string{"hello\n", "\x04"} {
		if _, err := io.WriteString(keyboard, typed); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("ctr: %v, on the screen: %q", err, screen)
	}
	testbed.Until(t, "the echo and the answer on the screen", func() error {
		if text := screen.String(); strings.Count(text, "hello") != 2 {
			return fmt.Errorf("there is %q", text)
		}
		return nil
	})
}

// TestE2E_Ctr_TaskCommands_Work: the commands with which an operator looks around.
func TestE2E_Ctr_TaskCommands_Work(t *testing.T) {
	s := space(t)
	ctr := func(args ...string) string {
		t.Helper()
		return run(t, s.Command(t, "ctr", args...))
	}
	run(t, ctrRun(t, s, "-d", testbed.ImageName, "web", "signal-trap"))
	pid := strings.Fields(ctr("task", "ls"))[4] // after the four headings: TASK PID STATUS, the task's name
	if _, err := strconv.Atoi(pid); err != nil {
		t.Errorf("ctr task ls printed %q", ctr("task", "ls"))
	}
	if got := ctr("task", "exec", "--fifo-dir", filepath.Join(s.Dir, "fifo"), "--exec-id", "x", "web", "echo", "hello"); got != "hello\n" {
		t.Errorf("ctr task exec printed %q", got)
	}
	err := s.Command(t, "ctr", "task", "exec", "--fifo-dir", filepath.Join(s.Dir, "fifo"), "--exec-id", "x", "web", "exit", "42").Run()
	if got := exitCode(err); got != 42 {
		t.Errorf("ctr task exec: exit status %d (%v), want 42", got, err)
	}
	for _, tc := range []struct {
		want string
		args []string
	}{
		{pid, []string{"task", "ps", "web"}},
		{"memory", []string{"task", "metrics", "web"}},
		{"", []string{"task", "pause", "web"}},
		{"PAUSED", []string{"task", "ls"}},
		{"", []string{"task", "resume", "web"}},
		{"RUNNING", []string{"task", "ls"}},
		{"web", []string{"container", "info", "web"}},
		{"", []string{"task", "kill", "--signal", "SIGKILL", "--all", "web"}},
	} {
		if got := ctr(tc.args...); !strings.Contains(got, tc.want) {
			t.Errorf("ctr %v printed %q, want %q in it", tc.args, got, tc.want)
		}
	}
	if e := s.Events.Await(t, testbed.TopicExit, "web", ""); e.Status != 128+uint32(unix.SIGKILL) {
		t.Errorf("the event tells exit status %d", e.Status)
	}
	ctr("task", "delete", "web")
	ctr("container", "delete", "web")
	s.ExpectClean(t)
}

// TestE2E_Ctr_Detached_LogInFile: "ctr run -d --log-uri".
func TestE2E_Ctr_Detached_LogInFile(t *testing.T) {
	s := space(t)
	path := filepath.Join(s.Dir, "web.log")
	run(t, ctrRun(t, s, "-d", "--log-uri", "file://"+path, testbed.ImageName, "web", "echo", "hello"))
	s.Events.Await(t, testbed.TopicExit, "web", "")
	run(t, s.Command(t, "ctr", "task", "delete", "web"))
	if got := string(readFile(t, path)); got != "hello\n" {
		t.Errorf("the log holds %q", got)
	}
}

// TestE2E_Ctr_RunjName_SameShim: on FreeBSD containerd's clients ask for the
// runtime wtf.sbk.runj.v1 unless they are told otherwise; "make install
// RUNJ_NAME=1" gives our shim that name as well.
func TestE2E_Ctr_RunjName_SameShim(t *testing.T) {
	testbed.Require(t, testbed.OurShim)
	t.Parallel()
	shim, err := testbed.Binary("containerd-shim-jail-v2")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(shim, filepath.Join(dir, "containerd-shim-runj-v1")); err != nil {
		t.Fatal(err)
	}
	const name = "wtf.sbk.runj.v1"
	s := testbed.NewDaemon(t, testbed.WithShimDir(dir)).NewSpace(t)
	cmd := ctrRun(t, s, "--rm", "--runtime", name, testbed.ImageName, "c1", "echo", "hello")
	if got := run(t, cmd); got != "hello\n" {
		t.Errorf("printed %q", got)
	}
	if got := run(t, s.Command(t, "ctr", "plugins", "inspect-runtime", "--runtime", name)); !strings.Contains(got, testbed.OurRuntime) {
		t.Errorf("ctr plugins inspect-runtime printed %q, which is not about our shim", got)
	}
}

// TestE2E_Nerdctl_ExecTerminal_TypedAndShown: "nerdctl exec -it", as to look around in a
// container.
func TestE2E_Nerdctl_ExecTerminal_TypedAndShown(t *testing.T) {
	s := space(t)
	run(t, nerdctl(t, s, nerdctlRun("-d", "--name", "web", testbed.ImageName, "hold")...))
	screen, _ := onTerminal(t, nerdctl(t, s, "exec", "-it", "web", "tty"), 100, 30)
	testbed.Until(t, "what the process says of its terminal", func() error {
		if text := screen.String(); !strings.Contains(text, "stdin true") || !strings.Contains(text, "stderr true") {
			return fmt.Errorf("there is %q", text)
		}
		return nil
	})
	cmd := nerdctl(t, s, "exec", "-it", "web", "cat")
	screen, keyboard := onTerminal(t, cmd, 100, 30)
	// Before nerdctl has the terminal in its hands, what is typed is only echoed.
	typed := 0
	testbed.Until(t, "the echo in the container and the answers on the screen", func() error {
		if _, err := io.WriteString(keyboard, "hello\n"); err != nil {
			return err
		}
		typed++
		if text := screen.String(); strings.Count(text, "hello") < 2*typed {
			return fmt.Errorf("after %d lines there is %q", typed, text)
		}
		return nil
	})
	if _, err := io.WriteString(keyboard, "\x04"); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("nerdctl exec: %v, on the screen: %q", err, screen)
	}
	run(t, nerdctl(t, s, "rm", "-f", "web"))
	s.ExpectClean(t)
}
