package stdio

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"

	"jailshim/driver"
)

const waitLimit = 20 * time.Second

// asLogger, in the environment, makes the test binary a logger that behaves as
// the value says.
const asLogger = "STDIO_TEST_LOGGER"

func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == asLogger {
		os.Exit(runLogger(os.Args[2:]))
	}
	os.Exit(m.Run())
}

// runLogger is a logger: it appends what it reads, stdout then stderr, to the
// file that the second argument names.
func runLogger(args []string) int {
	out, errOut, ready := os.NewFile(3, "stdout"), os.NewFile(4, "stderr"), os.NewFile(5, "ready")
	switch args[0] {
	case "dies":
		ready.Close()
		return 0
	case "never-ready":
		time.Sleep(waitLimit)
		return 0
	case "v2":
		ready.Write([]byte{1})
	}
	ready.Close()
	a, _ := io.ReadAll(out)
	b, _ := io.ReadAll(errOut)
	text := fmt.Sprintf("%s %s|%s|%s", os.Getenv("CONTAINER_NAMESPACE"), os.Getenv("CONTAINER_ID"), a, b)
	if err := os.WriteFile(args[1], []byte(text), 0o600); err != nil {
		return 1
	}
	return 0
}

func loggerURI(scheme, behaviour, file string) string {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf("%s://%s?%s=%s&%s", scheme, self, asLogger, behaviour, file)
}

// starter is what the reaper is to the shim.
type starter struct{}

func (starter) Start(c *exec.Cmd) error { return c.Start() }
func (starter) Wait(c *exec.Cmd) error  { return c.Wait() }

func fifo(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t *testing.T, c Config) *IO {
	t.Helper()
	c.Namespace, c.Container = "ns", "c"
	s, err := Open(context.Background(), c, starter{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// reader opens a client's end and returns all that comes until the end.
func reader(t *testing.T, path string) <-chan []byte {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	c := make(chan []byte, 1)
	go func() {
		defer f.Close()
		b, _ := io.ReadAll(f)
		c <- b
	}()
	return c
}

func await[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(waitLimit):
		t.Fatalf("timed out waiting for %s", what)
		panic("unreachable")
	}
}

// process runs a shell command on the IO's ends, as a driver does.
func process(t *testing.T, s *IO, script string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", script)
	c := s.Child()
	set(cmd, c)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.CloseChild()
	if err := s.OpenStdin(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

func set(cmd *exec.Cmd, c driver.Stdio) {
	if c.Stdin != nil {
		cmd.Stdin = c.Stdin
	}
	if c.Stdout != nil {
		cmd.Stdout = c.Stdout
	}
	if c.Stderr != nil {
		cmd.Stderr = c.Stderr
	}
}

func run(t *testing.T, s *IO, script string) {
	t.Helper()
	if err := process(t, s, script).Wait(); err != nil {
		t.Fatal(err)
	}
}

func drain(s *IO) time.Duration {
	begin := time.Now()
	s.Drain(context.Background())
	return time.Since(begin)
}

func TestFifo_AllOutputArrives(t *testing.T) {
	out, errOut := fifo(t, "out"), fifo(t, "err")
	s := open(t, Config{Stdout: out, Stderr: errOut})
	gotOut, gotErr := reader(t, out), reader(t, errOut)
	run(t, s, "head -c 3000000 /dev/zero; echo problem >&2")
	drain(s)
	if n := len(await(t, gotOut, "stdout")); n != 3000000 {
		t.Errorf("stdout: %d bytes, want 3000000", n)
	}
	if got := await(t, gotErr, "stderr"); string(got) != "problem\n" {
		t.Errorf("stderr: %q", got)
	}
}

// Programs don't expect their standard streams to be non-blocking: they would
// lose output.
func TestFifo_ProcessEndsBlock(t *testing.T) {
	in, out := fifo(t, "in"), fifo(t, "out")
	s := open(t, Config{Stdin: in, Stdout: out})
	c := s.Child()
	for name, f := range map[string]*os.File{"stdin": c.Stdin, "stdout": c.Stdout} {
		flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
		if err != nil || flags&unix.O_NONBLOCK != 0 {
			t.Errorf("%s: flags %#x, %v", name, flags, err)
		}
	}
}

// A daemon restarts: the reader goes and comes back, and nothing is lost.
func TestFifo_ReaderComesBack_NothingLost(t *testing.T) {
	out := fifo(t, "out")
	s := open(t, Config{Stdout: out})
	first, err := os.OpenFile(out, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	gate := fifo(t, "gate") // holds the process back until the reader is gone
	cmd := process(t, s, "echo one; read x <"+gate+"; echo two")
	buf := make([]byte, 4)
	if _, err := io.ReadFull(first, buf); err != nil || string(buf) != "one\n" {
		t.Fatalf("got %q, %v", buf, err)
	}
	first.Close()
	if err := os.WriteFile(gate, []byte("go\n"), 0); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if got := await(t, reader(t, out), "the rest"); string(got) != "two\n" {
		t.Errorf("after the break: %q", got)
	}
}

// Nobody reads: the process must go on all the same.
func TestFifo_NoReader_ProcessGoesOn(t *testing.T) {
	out := fifo(t, "out")
	dst, err := openFifo("stdout", out)
	if err != nil {
		t.Fatal(err)
	}
	sink := dst.(*fifoSink)
	sink.grace = 50 * time.Millisecond
	r, w, err := newPipe(readEnd)
	if err != nil {
		t.Fatal(err)
	}
	c := &copier{src: r, dst: sink, ended: make(chan struct{}), fail: func(err error) { t.Errorf("sink failed: %v", err) }}
	go c.run()
	if _, err := w.Write(make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	// A reader that comes now gets what comes from now on.
	got := reader(t, out)
	if _, err := w.WriteString("still here"); err != nil {
		t.Fatal(err)
	}
	w.Close()
	await(t, c.ended, "the copier")
	if b := await(t, got, "the late reader"); !bytes.HasSuffix(b, []byte("still here")) {
		t.Errorf("late reader got %d bytes, not the last ones", len(b))
	}
}

// Delete must not wait for a process that has inherited the stream.
func TestDrain_GrandchildHoldsStream_ReturnsSoon(t *testing.T) {
	out := fifo(t, "out")
	s := open(t, Config{Stdout: out})
	got := reader(t, out)
	run(t, s, "echo done; sleep 60 &")
	if d := drain(s); d > 5*time.Second {
		t.Errorf("Drain took %v", d)
	}
	s.Close()
	if b := await(t, got, "the end of the stream"); string(b) != "done\n" {
		t.Errorf("got %q", b)
	}
}

// A slow reader is no reason to lose the tail.
func TestDrain_SlowReader_LosesNothing(t *testing.T) {
	out := fifo(t, "out")
	s := open(t, Config{Stdout: out})
	f, err := os.OpenFile(out, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	total := make(chan int, 1)
	go func() {
		defer f.Close()
		n := 0
		buf := make([]byte, 8192)
		for {
			k, err := f.Read(buf)
			n += k
			if err != nil {
				total <- n
				return
			}
			time.Sleep(5 * time.Millisecond) // the slowness under test
		}
	}()
	run(t, s, "head -c 1000000 /dev/zero & wait")
	drain(s)
	if n := await(t, total, "the slow reader"); n != 1000000 {
		t.Errorf("%d bytes, want 1000000", n)
	}
}

func TestStdin_EndsOnlyAfterCloseStdin(t *testing.T) {
	in, out := fifo(t, "in"), fifo(t, "out")
	s := open(t, Config{Stdin: in, Stdout: out})
	got := reader(t, out)
	cmd := process(t, s, "cat")
	for _, line := range []string{"one\n", "two\n"} { // two clients, one after the other
		w, err := os.OpenFile(in, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.WriteString(line); err != nil {
			t.Fatal(err)
		}
		w.Close()
	}
	for range 2 { // may be repeated
		if err := s.CloseStdin(); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	drain(s)
	if b := await(t, got, "the echo"); string(b) != "one\ntwo\n" {
		t.Errorf("got %q", b)
	}
}

// A client must not see the fifo opened before the process is started.
func TestStdin_NotOpenedBeforeStart(t *testing.T) {
	in, out := fifo(t, "in"), fifo(t, "out")
	s := open(t, Config{Stdin: in, Stdout: out})
	if w, err := os.OpenFile(in, os.O_WRONLY|unix.O_NONBLOCK, 0); !errors.Is(err, unix.ENXIO) {
		t.Errorf("a client can open its end: %v, %v", w, err)
	}
	// It may end before the process has begun.
	if err := s.CloseStdin(); err != nil {
		t.Fatal(err)
	}
	got := reader(t, out)
	run(t, s, "cat; echo end")
	drain(s)
	if b := await(t, got, "the output"); string(b) != "end\n" {
		t.Errorf("got %q", b)
	}
}

// The client may write on after the process has closed its input.
func TestStdin_ProcessEnds_ClientIsNotStuck(t *testing.T) {
	in := fifo(t, "in")
	s := open(t, Config{Stdin: in})
	run(t, s, "exit 0")
	w, err := os.OpenFile(in, os.O_WRONLY|unix.O_NONBLOCK, 0)
	if err == nil {
		defer w.Close()
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range 64 {
				if _, err := w.Write(make([]byte, 8192)); err != nil {
					return
				}
			}
		}()
		await(t, done, "the client's writes")
	}
	s.Close()
}

func TestEmpty_NoStreams(t *testing.T) {
	s := open(t, Config{})
	if c := s.Child(); c.Stdin != nil || c.Stdout != nil || c.Stderr != nil {
		t.Errorf("streams %+v, want none", c)
	}
	if err := s.CloseStdin(); err != nil {
		t.Error(err)
	}
	if err := s.Resize(80, 24); err != nil {
		t.Error(err)
	}
}

func TestFile_BothStreamsAppended(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "log")
	for range 2 {
		s := open(t, Config{Stdout: "file://" + path})
		run(t, s, "echo out; echo err >&2")
		drain(s)
		s.Close()
	}
	b, err := os.ReadFile(path)
	if err != nil || string(b) != "out\nerr\nout\nerr\n" {
		t.Errorf("got %q, %v", b, err)
	}
}

func TestLogger_GetsBothStreamsAndTheNames(t *testing.T) {
	for scheme, behaviour := range map[string]string{"binary": "v1", "binary-v2": "v2"} {
		t.Run(scheme, func(t *testing.T) {
			log := filepath.Join(t.TempDir(), "log")
			s := open(t, Config{Stdout: loggerURI(scheme, behaviour, log)})
			run(t, s, "echo out; echo err >&2")
			drain(s)
			b, err := os.ReadFile(log)
			if err != nil || string(b) != "ns c|out\n|err\n" {
				t.Errorf("got %q, %v", b, err)
			}
		})
	}
}

// With binary-v2 a logger that fails to start must fail the container.
func TestLogger_EndsBeforeReady_V2Refused(t *testing.T) {
	c := Config{Stdout: loggerURI("binary-v2", "dies", "x")}
	if s, err := Open(context.Background(), c, starter{}, slog.New(slog.DiscardHandler)); err == nil {
		s.Close()
		t.Fatal("Open succeeded")
	}
}

func TestLogger_NeverReady_EndsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	c := Config{Stdout: loggerURI("binary", "never-ready", "x")}
	begin := time.Now()
	if s, err := Open(ctx, c, starter{}, slog.New(slog.DiscardHandler)); err == nil {
		s.Close()
		t.Fatal("Open succeeded")
	}
	if d := time.Since(begin); d > readyTimeout/2 {
		t.Errorf("took %v", d)
	}
}

// A logger that crashes must not take the container with it.
func TestLogger_Dies_ProcessGoesOn(t *testing.T) {
	s := open(t, Config{Stdout: loggerURI("binary", "dies", "x")})
	run(t, s, "head -c 1000000 /dev/zero; head -c 1000000 /dev/zero >&2; echo alive")
	drain(s)
}

func TestLogger_Missing_NamesIt(t *testing.T) {
	_, err := Open(context.Background(), Config{Stdout: "binary:///no/such/logger"}, starter{}, slog.New(slog.DiscardHandler))
	if !errdefs.IsInvalidArgument(err) || !strings.Contains(err.Error(), "/no/such/logger") {
		t.Errorf("error %v", err)
	}
}

func TestOpen_MissingFifo_NotFound(t *testing.T) {
	for _, c := range []Config{{Stdin: "/no/such/in"}, {Stdout: "/no/such/out"}, {Stderr: "/no/such/err"}} {
		_, err := Open(context.Background(), c, starter{}, slog.New(slog.DiscardHandler))
		if !errdefs.IsNotFound(err) || !strings.Contains(err.Error(), "/no/such/") {
			t.Errorf("%+v: error %v", c, err)
		}
	}
}

func TestValidate_Refused(t *testing.T) {
	for uri, names := range map[string]string{
		"gopher://x/y":    "gopher",
		"relative":        "relative",
		"file://relative": "relative",
		"binary://x":      "binary",
		"http://[::1":     "http",
	} {
		err := (&Config{Stdout: uri}).Validate()
		if !errdefs.IsInvalidArgument(err) || !strings.Contains(err.Error(), names) {
			t.Errorf("%q: error %v", uri, err)
		}
	}
	if err := (&Config{Stdin: "file:///x"}).Validate(); !errdefs.IsInvalidArgument(err) {
		t.Errorf("stdin from file://: %v", err)
	}
}

// A logger that works with containerd's own shim must get the same arguments here.
func TestLoggerArgs_AsContainerd(t *testing.T) {
	for query, want := range map[string][]string{
		"":                  nil,
		"b=2&a=1":           {"b", "2", "a", "1"},
		"a":                 {"a", ""},
		"a=&b":              {"a", "", "b", ""},
		"a=1&b=2&a=3":       {"a", "1", "b", "2"},
		"a=&a=3":            {"a", ""},
		"c=x%20y&d+e=%26":   {"c", "x y", "d e", "&"},
		"%61=1&a=2":         {"a", "1"},
		"=v":                {"", "v"},
		"&&a=1&":            {"a", "1"},
		"a=b=c":             {"a", "b=c"},
		"a=%zz&a=2&%zz=3":   {"a", "2"},
		"a=1;b=2&c=3&d;e=4": {"c", "3"},
	} {
		if got := loggerArgs(query); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", query, got, want)
		}
	}
}

// Each container's end must give back all that it took.
func TestClose_LeavesNoDescriptors(t *testing.T) {
	for name, mk := range map[string]func() Config{
		"fifo":   func() Config { return Config{Stdin: fifo(t, "in"), Stdout: fifo(t, "out"), Stderr: fifo(t, "err")} },
		"file":   func() Config { return Config{Stdout: "file://" + filepath.Join(t.TempDir(), "log")} },
		"logger": func() Config { return Config{Stdout: loggerURI("binary", "v1", filepath.Join(t.TempDir(), "l"))} },
		"bad":    func() Config { return Config{Stdin: fifo(t, "in"), Stdout: "/no/such/fifo"} },
	} {
		t.Run(name, func(t *testing.T) {
			once := func() {
				s, err := Open(context.Background(), mk(), starter{}, slog.New(slog.DiscardHandler))
				if err != nil {
					if !errors.Is(err, errdefs.ErrNotFound) {
						t.Fatal(err)
					}
					return
				}
				run(t, s, "echo x")
				s.Close()
				s.Close() // may be repeated
			}
			once()
			before := descriptors(t)
			for range 5 {
				once()
			}
			if after := descriptors(t); after > before {
				t.Errorf("%d descriptors before, %d after", before, after)
			}
		})
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/dev/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
