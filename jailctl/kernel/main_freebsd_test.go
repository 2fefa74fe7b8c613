package kernel

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"jailshim/internal/need"
)

// The tests of this folder that are for FreeBSD make jails, mounts and rules on the
// machine they run on, all named jt-kernel-PID-…, and remove them.

// stageVar names what a copy of the test binary does instead of running tests.
const stageVar = "KERNEL_TEST_STAGE"

// stages are what such a copy can do. Each reads its standard input to the end
// before it ends, so that the test decides when, and says on its standard output
// when it is ready.
var stages = map[string]func() error{
	"attach":      stageAttach,
	"directory":   stageDirectory,
	"parent":      stageParent,
	"wait":        func() error { return ready("waiting") },
	"credential":  stageCredential,
	"title":       stageTitle,
	"descriptors": stageDescriptors,
	"pid":         stagePid,
	"long":        stageLong,
	"cpus":        stageCPUs,
	"terminal":    stageTerminal,
	"trim":        stageTrim,
	"replaced":    stageReplaced,
}

func TestMain(m *testing.M) {
	name := os.Getenv(stageVar)
	if name == "" {
		os.Exit(m.Run())
	}
	if err := stages[name](); err != nil {
		fmt.Fprintln(os.Stderr, name+":", err)
		os.Exit(1)
	}
	os.Exit(stageStatus)
}

// stageStatus is the exit status of a stage that did its work.
const stageStatus = 7

// ready tells the test what the stage has come to, and waits for its leave.
func ready(what string) error {
	if _, err := fmt.Println(what); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// stage is a running copy of the test binary.
type stage struct {
	*exec.Cmd
	leave *os.File
	said  string
}

// startStage runs a stage with files as its descriptors from 3 on, and waits until
// it is ready. A stage that the test does not wait for is killed at its end.
func startStage(t *testing.T, cmd *exec.Cmd, name string, files ...*os.File) *stage {
	t.Helper()
	stdin, leave, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, stdout, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Env = append(cmd.Env, stageVar+"="+name)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, stdout, os.Stderr
	cmd.ExtraFiles = files
	err = cmd.Start()
	stdin.Close()
	stdout.Close()
	t.Cleanup(func() {
		leave.Close()
		out.Close()
		if cmd.Process != nil {
			cmd.Process.Kill()
			cmd.Process.Wait()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	said, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("stage %s: %v", name, err)
	}
	return &stage{Cmd: cmd, leave: leave, said: strings.TrimSpace(said)}
}

// testBinary is a command that runs a stage on the host.
func testBinary(t *testing.T, env ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = env
	return cmd
}

// eventually waits until something holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("gave up waiting until %s", what)
		}
	}
}

var objects int

// objectName returns a name for an object of the machine.
func objectName() string {
	objects++
	return fmt.Sprintf("jt-kernel-%d-%d", os.Getpid(), objects)
}

// jailParams returns the parameters that a jail must have, in a folder of its own,
// and more, which may replace some of them.
func jailParams(t *testing.T, more ...Param) []Param {
	t.Helper()
	params := []Param{String("name", objectName()), String("path", t.TempDir()), Bool("persist", true)}
	params = slices.DeleteFunc(params, func(p Param) bool {
		return slices.ContainsFunc(more, func(m Param) bool { return strings.TrimPrefix(m.Name, "no") == p.Name })
	})
	return append(params, more...)
}

// newJail makes a jail with [jailParams] and removes it at the end of the test.
func newJail(t *testing.T, more ...Param) *Jail {
	t.Helper()
	need.Root(t)
	j, err := CreateJail(jailParams(t, more...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { removeJail(t, j) })
	return j
}

func removeJail(t *testing.T, j *Jail) {
	t.Helper()
	if state, err := StateOfJail(j.ID); err != nil || state == JailAlive {
		if err := j.Remove(); err != nil && !errors.Is(err, unix.ENOENT) {
			t.Error(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Error(err)
	}
	eventually(t, j.object()+" is gone", func() bool {
		// Orphans of the jail that became ours keep it.
		for r, err := WaitJail(j.ID, false); err == nil && r.Pid != 0; r, err = WaitJail(j.ID, false) {
		}
		state, err := StateOfJail(j.ID)
		return err == nil && state == JailGone
	})
}

// wantErrno checks for an *Error with an errno.
func wantErrno(t *testing.T, what string, err error, errno syscall.Errno) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Errno != errno || e.Op == "" {
		t.Errorf("%s: %v, want an *Error with %v", what, err, errno)
	}
}

// openDescriptors counts the open descriptors of the process.
func openDescriptors(t *testing.T) int {
	t.Helper()
	n := 0
	for fd := range 1024 {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil {
			n++
		}
	}
	return n
}

// jidVar and fdVar tell a stage which jail to attach to.
const (
	jidVar = "KERNEL_TEST_JID"
	fdVar  = "KERNEL_TEST_FD"
)

// attachSelf attaches to the jail that the test named.
func attachSelf() error {
	jid, err := strconv.Atoi(os.Getenv(jidVar))
	if err != nil {
		return err
	}
	var f *os.File
	if os.Getenv(fdVar) != "" {
		f = os.NewFile(3, "jail")
	}
	j := JailFromFile(f, jid)
	defer j.Close()
	return j.Attach()
}

// stageAttach attaches, and waits in the jail.
func stageAttach() error {
	if err := attachSelf(); err != nil {
		return err
	}
	wd, err := os.Getwd()
	if err != nil {
		return err
	}
	return ready("attached at " + wd)
}

// stageDirectory tries to attach with a directory open.
func stageDirectory() error {
	dir, err := os.Open("/")
	if err != nil {
		return err
	}
	defer dir.Close()
	err = attachSelf()
	return ready(fmt.Sprint("refused ", errors.Is(err, unix.EPERM)))
}

// jailStage starts a stage that attaches to a jail, by its descriptor if it has one.
func jailStage(t *testing.T, j *Jail, name string) *stage {
	t.Helper()
	cmd := testBinary(t, fmt.Sprintf("%s=%d", jidVar, j.ID))
	if j.File() == nil {
		return startStage(t, cmd, name)
	}
	cmd.Env = append(cmd.Env, fdVar+"=3")
	return startStage(t, cmd, name, j.File())
}
