package kernel

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"jailshim/internal/need"
)

// part is a script that ends in a stage of the test binary.
type part struct {
	stage string
	stdin int             // -1: a pipe that is at its end
	files []int           // descriptors from 3 on
	env   []string        // besides the stage's
	steps func(s *Script) // between the descriptors and the program
	name  string          // of the program, if not the test binary
}

// played is how it went.
type played struct {
	said   string // all of its standard output
	err    error  // what a step said
	status int
}

// play does a script to its end.
func play(t *testing.T, p part) played {
	t.Helper()
	in, leave := pipe(t)
	out, stdout := pipe(t)
	leave.Close()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if p.stdin < 0 {
		p.stdin = descriptor(t, in)
	}
	if p.name == "" {
		if p.name, err = os.Executable(); err != nil {
			t.Fatal(err)
		}
	}
	env := append([]string{stageVar + "=" + p.stage}, p.env...)
	s := new(Script)
	files := append([]int{p.stdin, descriptor(t, stdout), 2}, p.files...)
	s.Descriptors(append(files, pair[1]), len(files))
	if p.steps != nil {
		p.steps(s)
	}
	s.Find(p.name, "/", env)
	s.Exec([]string{p.name}, env)
	pid, err := s.Fork()
	unix.Close(pair[1])
	stdout.Close()
	if err != nil {
		t.Fatal(err)
	}
	control := os.NewFile(uintptr(pair[0]), "control")
	defer control.Close()
	r := played{err: ReadAnswer(control)}
	if errors.Is(r.err, io.EOF) {
		r.err = nil // the program runs
	}
	b, err := io.ReadAll(out)
	if err != nil {
		t.Error(err)
	}
	r.said = strings.TrimSpace(string(b))
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(pid, &status, 0, nil); err != nil {
		t.Error(err)
	}
	r.status = status.ExitStatus()
	return r
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.Close()
		w.Close()
	})
	return r, w
}

func wantStep(t *testing.T, err error, step string, errno syscall.Errno) {
	t.Helper()
	var e *StepError
	if !errors.As(err, &e) || !strings.Contains(e.Step, step) || e.Errno != errno {
		t.Errorf("got %v, want the step %q with %v", err, step, errno)
	}
}

// stageCredential says what the process has become.
func stageCredential() error {
	var class [loginClassSize]byte
	const sysGetloginclass = 523
	if _, _, errno := unix.Syscall(sysGetloginclass, uintptr(pointer(class[:])), uintptr(len(class)), 0); errno != 0 {
		return errno
	}
	groups, err := unix.Getgroups()
	if err != nil {
		return err
	}
	var procs unix.Rlimit
	if err := unix.Getrlimit(rlimitNproc, &procs); err != nil {
		return err
	}
	wd, err := os.Getwd()
	if err != nil {
		return err
	}
	sid, err := unix.Getsid(0)
	if err != nil {
		return err
	}
	mask := unix.Umask(0)
	slices.Sort(groups)
	// No limit of processes becomes kern.maxprocperuid (kern_proc_setrlimit).
	fmt.Printf("%s %d:%d %d:%d %v %d %v %s %#o %v", DecodeString(class[:]), os.Getuid(), os.Geteuid(), os.Getgid(), os.Getegid(),
		slices.Compact(groups), procs.Cur, procs.Max > procs.Cur, wd, mask, sid == os.Getpid())
	return nil
}

func TestScript_Attributes(t *testing.T) {
	need.Root(t)
	r := play(t, part{stdin: -1, stage: "credential", steps: func(s *Script) {
		s.Title("jt-kernel: title")
		s.Session(false)
		s.AnyCPU()
		s.LoginClass("jt-kernel")
		s.Rlimit(rlimitNproc, Rlimit{Soft: 300, Hard: ^uint64(0)})
		s.Umask(0o27)
		s.NoNewPrivs()
		s.User(1000, 1000, []int{1001, 1002})
		s.TryChdir("/usr")
	}})
	if want := "jt-kernel 1000:1000 1000:1000 [1000 1001 1002] 300 true /usr 027 true"; r.said != want || r.err != nil || r.status != stageStatus {
		t.Errorf("got %+v, want %q", r, want)
	}
}

// A folder that root may enter and the user may not is for the user, too, if it is to be
// the working directory: root goes there first.
func TestScript_Chdir_AsWhoMay(t *testing.T) {
	need.Root(t)
	roots := t.TempDir()
	if err := os.Chmod(roots, 0o700); err != nil { //nolint:gosec // a folder
		t.Fatal(err)
	}
	user := func(s *Script) { s.User(1000, 1000, nil) }
	chdir := func(path string) func(*Script) {
		return func(s *Script) { s.TryChdir(path); user(s); s.RetryChdir(path) }
	}
	for _, tt := range []struct {
		name  string
		steps func(*Script)
		wd    string
		errno syscall.Errno
	}{
		{"root's alone", chdir(roots), roots, 0},
		{"everybody's", chdir("/usr"), "/usr", 0},
		{"missing", chdir("/no/such"), "", unix.ENOENT},
		// As if root were refused, on a file system of others.
		{"refused at first", func(s *Script) { user(s); s.TryChdir(roots); s.RetryChdir("/usr") }, "/usr", 0},
		{"refused twice", func(s *Script) { user(s); s.TryChdir(roots); s.RetryChdir(roots) }, "", unix.EACCES},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := play(t, part{stdin: -1, stage: "credential", steps: tt.steps})
			if tt.errno != 0 {
				wantStep(t, r.err, "change to the working directory", tt.errno)
				return
			}
			if r.err != nil || !strings.Contains(r.said, " "+tt.wd+" ") {
				t.Errorf("got %+v, want %s in it", r, tt.wd)
			}
		})
	}
}

// stageDescriptors says what it can read from the descriptors from 3 on, and which
// others are open.
func stageDescriptors() error {
	for fd := 3; fd < 64; fd++ {
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0); err == nil && flags >= 0 {
			b := make([]byte, 16)
			n, err := unix.Pread(fd, b, 0)
			if err != nil {
				continue // Go's own
			}
			fmt.Printf("%d:%s ", fd, b[:n])
		}
	}
	return nil
}

// Descriptors come in any order, also such that one's place is another's number.
func TestScript_Descriptors_InTheirPlaces(t *testing.T) {
	var files []int
	for i := range 6 {
		f, err := os.Create(filepath.Join(t.TempDir(), "f"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteString(strconv.Itoa(i)); err != nil {
			t.Fatal(err)
		}
		files = append(files, descriptor(t, f))
	}
	// These are low numbers that overlap with the places from 3 on.
	for _, order := range [][]int{{0, 1, 2, 3, 4, 5}, {5, 4, 3, 2, 1, 0}, {1, 0, 3, 2, 5, 4}, {2, 2, 2}} {
		var fds []int
		var want []string
		for place, i := range order {
			fds = append(fds, files[i])
			want = append(want, fmt.Sprintf("%d:%d", 3+place, i))
		}
		r := play(t, part{stdin: -1, stage: "descriptors", files: fds})
		if r.err != nil || r.said != strings.Join(want, " ") {
			t.Errorf("descriptors %v: %+v, want %v", fds, r, want)
		}
	}
}

func TestScript_FailedSteps_AreTold(t *testing.T) {
	need.Root(t)
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	broken := filepath.Join(dir, "broken")
	if err := os.WriteFile(broken, []byte("nothing"), 0o700); err != nil { //nolint:gosec // it is to be a program
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name  string
		steps func(*Script)
		find  string
		env   []string
		step  string
		errno syscall.Errno
		about bool
	}{
		{"limit", func(s *Script) { s.Rlimit(99, Rlimit{}) }, "", nil, "set resource limit 99", unix.EINVAL, false},
		{"folder", func(s *Script) { s.TryChdir("/no/such") }, "", nil, "change to the working directory /no/such", unix.ENOENT, false},
		{"jail", func(s *Script) { s.Attach(999999, -1) }, "", nil, "attach to the jail", unix.EINVAL, false},
		{"missing program", nil, "/no/such", nil, `find program "/no/such"`, unix.ENOENT, true},
		{"folder as program", nil, dir, nil, "find program", unix.EACCES, true},
		{"file that nobody may execute", nil, plain, nil, "find program", unix.EACCES, true},
		{"in PATH", nil, "plain", []string{"PATH=/no:" + dir + ":/nowhere"}, `in PATH "/no:`, unix.EACCES, true},
		{"not in PATH", nil, "no-such", []string{"PATH=/bin"}, `in PATH "/bin"`, unix.ENOENT, true},
		{"no format", nil, broken, nil, "exec", unix.ENOEXEC, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := play(t, part{stdin: -1, stage: "credential", steps: tt.steps, name: tt.find, env: tt.env})
			wantStep(t, r.err, tt.step, tt.errno)
			var e *StepError
			if errors.As(r.err, &e) && e.Program != tt.about || r.status != ScriptFailed || r.said != "" {
				t.Errorf("got %+v", r)
			}
		})
	}
}

// stagePid says whether a variable holds its pid.
func stagePid() error {
	fmt.Print(os.Getenv("THE_PID") == strconv.Itoa(os.Getpid()))
	return nil
}

func TestScript_PIDMark(t *testing.T) {
	if r := play(t, part{stdin: -1, stage: "pid", env: []string{"THE_PID=" + PIDMark}}); r.said != "true" || r.err != nil {
		t.Errorf("got %+v", r)
	}
}

// stageLong says how long its environment's variable is.
func stageLong() error {
	fmt.Print(len(os.Getenv("LONG")))
	return nil
}

// What does not fit into one mapping gets another.
func TestScript_LongEnvironment(t *testing.T) {
	long := strings.Repeat("x", roomSize)
	if r := play(t, part{stdin: -1, stage: "long", env: []string{"LONG=" + long}}); r.err != nil || r.said != fmt.Sprint(len(long)) {
		t.Errorf("got %q, %v, want %d", r.said, r.err, len(long))
	}
}

// forkWaiting makes a child that waits until its control socket is closed.
func forkWaiting(title string) (pid int, control *os.File, err error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, nil, err
	}
	control = os.NewFile(uintptr(pair[0]), "control")
	s := new(Script)
	s.Descriptors([]int{0, 1, 2, pair[1]}, 3)
	s.Title(title)
	s.Ready()
	s.Await()
	pid, err = s.Fork()
	unix.Close(pair[1])
	if err == nil {
		err = ReadAnswer(control)
	}
	return pid, control, err
}

// waiting is a child that waits, at most as long as the test runs.
func waiting(t *testing.T) int {
	t.Helper()
	pid, control, err := forkWaiting("jt-kernel: waiting")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { control.Close() })
	return pid
}

// stageTitle makes a child with a title.
func stageTitle() error {
	pid, control, err := forkWaiting("jt-kernel: title")
	if err != nil {
		return err
	}
	title, err := unix.SysctlRaw("kern.proc.args", pid)
	fmt.Printf("%q", title)
	err = errors.Join(err, control.Close())
	_, werr := syscall.Wait4(pid, nil, 0, nil)
	return errors.Join(err, werr)
}

// Of a command line of some length the kernel keeps no copy: it looks for it in the
// process's memory, also to replace it.
func TestScript_Title_LongCommandLine(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, strings.Repeat("x", 1000))
	cmd.Env = []string{stageVar + "=title"}
	out, err := cmd.CombinedOutput()
	var end *exec.ExitError
	if want := `"jt-kernel: title\x00"`; !errors.As(err, &end) || end.ExitCode() != stageStatus || string(out) != want {
		t.Errorf("got %s, %v, want %s", out, err, want)
	}
}

// ended returns how a child has ended, after a signal.
func ended(t *testing.T, pid int, signal syscall.Signal) syscall.WaitStatus {
	t.Helper()
	if err := syscall.Kill(pid, signal); err != nil {
		t.Error(err)
	}
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(pid, &status, 0, nil); err != nil {
		t.Error(err)
	}
	return status
}

// A child that waits has nothing of the heap, in which are the secrets of others. What
// its parent starts in another way has it, also while the child is there.
func TestScript_InheritsNoHeap(t *testing.T) {
	pid := waiting(t)
	if mine, its := virtual(t, os.Getpid()), virtual(t, pid); its > imageRoom || mine < 2*imageRoom {
		t.Errorf("the child has %d MiB, its parent %d", its>>20, mine>>20)
	}
	for range 10 {
		if err := exec.Command("true").Run(); err != nil {
			t.Error(err)
		}
	}
	ended(t, pid, unix.SIGKILL)
}

// What Go handles ends a child as it would end any other process; what was ignored when
// this one began stays ignored.
func TestScript_Signals(t *testing.T) {
	for _, signal := range []syscall.Signal{unix.SIGTERM, unix.SIGINT, unix.SIGSEGV, unix.SIGUSR1} {
		if status := ended(t, waiting(t), signal); status.Signal() != signal {
			t.Errorf("signal %v: it ended with %#x", signal, status)
		}
	}
	signal.Ignore(unix.SIGUSR2)
	defer signal.Reset(unix.SIGUSR2)
	pid := waiting(t)
	if err := syscall.Kill(pid, unix.SIGUSR2); err != nil {
		t.Error(err)
	}
	if status := ended(t, pid, unix.SIGTERM); status.Signal() != unix.SIGTERM {
		t.Errorf("it ended with %#x", status)
	}
}

// virtual is the size of a process's address space in bytes.
func virtual(t *testing.T, pid int) int {
	t.Helper()
	p, err := ProcessByID(pid)
	if err != nil {
		t.Fatal(err)
	}
	return int(p.VSize)
}

// A child that waits ends with the one that it waits for, and goes on for anybody
// who says so, on its own socket or on one with a name.
func TestScript_Waits(t *testing.T) {
	for _, tt := range []struct {
		name   string
		accept bool
		leave  bool // without a word
		want   int
	}{
		{"goes on", false, false, 0}, {"ends", false, true, ScriptFailed}, {"is called", true, false, 0}, {"ends before it listens", true, true, ScriptFailed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "go")
			l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			listener, err := l.File()
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			s := new(Script)
			s.Descriptors([]int{0, 1, 2, int(listener.Fd()), pair[1]}, 3) // Fd makes it blocking
			s.Ready()
			s.Await()
			if tt.accept {
				s.Accept(3)
			}
			s.Find("true", "/", nil)
			s.Exec([]string{"true"}, nil)
			pid, err := s.Fork()
			if err != nil {
				t.Fatal(err)
			}
			unix.Close(pair[1])
			control := os.NewFile(uintptr(pair[0]), "control")
			if err := ReadAnswer(control); err != nil {
				t.Errorf("before it waits: %v", err)
			}
			if !tt.leave {
				if _, err := control.Write([]byte{0}); err != nil {
					t.Error(err)
				}
			}
			control.Close()
			if tt.accept && !tt.leave {
				wantGone(t, path)
			}
			var status syscall.WaitStatus
			if _, err := syscall.Wait4(pid, &status, 0, nil); err != nil || status.ExitStatus() != tt.want {
				t.Errorf("it ended with %d, %v, want %d", status.ExitStatus(), err, tt.want)
			}
		})
	}
}

// wantGone calls a listening child twice, the first time without a word.
func wantGone(t *testing.T, path string) {
	t.Helper()
	for _, word := range []string{"", "x"} {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, word); err != nil {
			t.Error(err)
		}
		if word != "" {
			if err := ReadAnswer(conn); !errors.Is(err, io.EOF) {
				t.Errorf("the program ran with %v", err)
			}
		}
		conn.Close()
	}
}

// A hundred children at once, of a process with many threads that allocate: nothing
// of the runtime may be needed in a child.
func TestScript_ManyAtOnce(t *testing.T) {
	done := make(chan error)
	for range 100 {
		// goroutine: this test's; ends with its child.
		go func() {
			s := new(Script)
			pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				done <- err
				return
			}
			s.Descriptors([]int{0, 1, 2, pair[1]}, 3)
			s.Find("true", "/", nil)
			s.Exec([]string{"true"}, nil)
			pid, err := s.Fork()
			unix.Close(pair[1])
			control := os.NewFile(uintptr(pair[0]), "control")
			defer control.Close()
			if err == nil {
				if err = ReadAnswer(control); errors.Is(err, io.EOF) {
					err = nil
				}
				var status syscall.WaitStatus
				if _, werr := syscall.Wait4(pid, &status, 0, nil); werr != nil || status != 0 {
					err = errors.Join(err, werr, fmt.Errorf("status %#x", status))
				}
			}
			done <- err
		}()
	}
	for range 100 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
