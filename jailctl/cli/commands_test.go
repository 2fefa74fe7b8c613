package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	runc "github.com/containerd/go-runc"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	urfave "github.com/urfave/cli"
	"golang.org/x/sys/unix"

	"jailshim/driver"
	"jailshim/jailctl"
	"jailshim/jailctl/kernel"
	"jailshim/test/daemon"
)

var update = flag.Bool("update", false, "rewrite the files in testdata")

// What a user starts from must be explained without an error, everywhere.
func TestSpec_ExplainOfTheExample_Golden(t *testing.T) {
	bundle := filepath.Join(t.TempDir(), "web")
	if err := os.MkdirAll(filepath.Join(bundle, "rootfs"), 0o755); err != nil {
		t.Fatal(err)
	}
	printed := run(t, "spec")
	if got := run(t, "spec", "--bundle", bundle); got.status != 0 || got.out != "" {
		t.Fatalf("%+v", got)
	}
	written, err := os.ReadFile(filepath.Join(bundle, configFile))
	if err != nil {
		t.Fatal(err)
	}
	if printed.out != string(written) || !json.Valid(written) {
		t.Errorf("printed %q, written %q", printed.out, written)
	}
	if got := run(t, "spec", "--bundle", bundle); got.status != exitFailure || !strings.Contains(got.err, "exists") {
		t.Errorf("a second time: %+v", got)
	}
	got := run(t, "spec", "--explain", bundle)
	if got.status != 0 {
		t.Fatalf("%+v", got)
	}
	text := strings.ReplaceAll(got.out, bundle, "/bundles/web")
	golden := filepath.Join("testdata", "explain.txt")
	if *update {
		if err := os.WriteFile(golden, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if text != string(want) {
		t.Errorf("got:\n%s\nwant:\n%s", text, want)
	}
	if got := run(t, "spec", "--explain", bundle, "--id", "other"); !strings.HasPrefix(got.out, "jail: other\n") {
		t.Errorf("--id: %+v", got)
	}
}

func TestParseSignal(t *testing.T) {
	for text, want := range map[string]syscall.Signal{
		"9": syscall.SIGKILL, "0": 0, "126": 126,
		"TERM": syscall.SIGTERM, "SIGTERM": syscall.SIGTERM, "sigint": syscall.SIGINT, "usr1": syscall.SIGUSR1,
	} {
		if got, err := parseSignal(text); err != nil || got != want {
			t.Errorf("%q: got %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "-1", "127", "SIG", "NOSUCH", "9x", "SIG9"} {
		if got, err := parseSignal(text); err == nil {
			t.Errorf("%q: got %d, want an error", text, got)
		}
	}
}

// Receivers take the descriptor of one message, and refuse one without data.
func TestConsoleSocket_SendsTheMaster(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	h := &handover{socket: path, pidFile: filepath.Join(t.TempDir(), "pid")}
	socket, err := h.dial()
	if err != nil {
		t.Fatal(err)
	}
	defer socket.close()
	if err := errors.Join(h.sendTerminal(socket, driver.Process{Pid: 4711, Console: w}), h.writePid(4711)); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(h.pidFile); err != nil || string(b) != "4711" {
		t.Errorf("pid file %q, %v", b, err)
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(h.pidFile), ".*")); err != nil || len(left) > 2 {
		t.Errorf("left: %v, %v", left, err)
	}
	c, err := l.AcceptUnix()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	data, oob := make([]byte, 100), make([]byte, 100)
	n, oobn, _, _, err := c.ReadMsgUnix(data, oob)
	if err != nil || n == 0 {
		t.Fatalf("%d bytes, %v", n, err)
	}
	messages, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil || len(messages) != 1 {
		t.Fatalf("%d messages, %v", len(messages), err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		t.Fatalf("descriptors %v, %v", fds, err)
	}
	if flags, err := unix.FcntlInt(uintptr(fds[0]), unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK != 0 {
		t.Errorf("flags %#x, %v: want it blocking", flags, err)
	}
	sent := os.NewFile(uintptr(fds[0]), "sent")
	if _, err := sent.WriteString("x"); err != nil {
		t.Fatal(err)
	}
	sent.Close()
	if b, err := io.ReadAll(r); err != nil || string(b) != "x" {
		t.Errorf("read %q, %v", b, err)
	}
	if _, err := (&handover{socket: path + "no"}).dial(); err == nil {
		t.Error("dialled a socket that is not there")
	}
}

func TestCheckTerminal(t *testing.T) {
	for _, c := range []struct {
		detach   bool
		socket   string
		terminal bool
		ok       bool
	}{
		{true, "", false, true},
		{true, "s", true, true},
		{true, "", true, false},
		{true, "s", false, false},
		{false, "", false, true},
		{false, "", true, true},
		{false, "s", true, false},
		{false, "s", false, false},
	} {
		h := &handover{detach: c.detach, socket: c.socket}
		if err := h.checkTerminal(c.terminal); (err == nil) != c.ok {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestUpdate_Flags_SetWhatTheyName(t *testing.T) {
	for line, want := range map[string]string{
		"":                                     `{}`,
		"--memory 64m --memory-swap -1":        `{"memory":{"limit":67108864,"swap":-1}}`,
		"--pids-limit -1":                      `{"pids":{"limit":-1}}`,
		"--cpu-quota 5000 --cpu-period 100000": `{"cpu":{"quota":5000,"period":100000}}`,
		"--cpuset-cpus 0-1 --cpu-share 7":      `{"cpu":{"shares":7,"cpus":"0-1"}}`,
		"--blkio-weight 10":                    `{"blockIO":{"weight":10}}`,
		"--kernel-memory 5":                    `{}`,
	} {
		p := &Program{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
		args := append(append([]string{"--root", t.TempDir(), "update"}, strings.Fields(line)...), "c1")
		actionOf(t, p, func(c *urfave.Context) error {
			r, err := p.resources(c)
			if err != nil {
				return err
			}
			if got, err := json.Marshal(r); err != nil || string(got) != want {
				t.Errorf("%s: got %s, %v; want %s", line, got, err, want)
			}
			return nil
		}, args...)
	}
	if err := limitFlags[0].set(new(specs.LinuxResources), "lots"); err == nil {
		t.Error("a weight of \"lots\" is accepted")
	}
	in := write(t, filepath.Join(t.TempDir(), "in"), `{"memory":{"limit":1}}`)
	f, err := os.Open(in)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p := &Program{Stdin: f, Stdout: os.Stdout, Stderr: os.Stderr}
	actionOf(t, p, func(c *urfave.Context) error {
		r, err := p.resources(c)
		if err == nil && *r.Memory.Limit != 1 {
			t.Errorf("from stdin: %+v", r)
		}
		return err
	}, "--root", t.TempDir(), "update", "--resources=-", "c1")
}

func TestExec_FlagsAndFile_MakeTheProcess(t *testing.T) {
	dir := t.TempDir()
	root, bundle := filepath.Join(dir, "root"), filepath.Join(dir, "bundle")
	write(t, filepath.Join(bundle, configFile), `{"ociVersion":"1.0.0","process":{"terminal":true,"consoleSize":{"height":1,"width":2},"args":["init"],"env":["A=0"],"cwd":"/","user":{"uid":1,"gid":2}}}`)
	file := write(t, filepath.Join(dir, "process.json"), `{"args":["f"],"cwd":"/f"}`)
	writeState(t, root, jailctl.State{ID: "c1", Bundle: bundle})
	for line, want := range map[string]specs.Process{
		"c1 ls -l --detach": {Args: []string{"ls", "-l", "--detach"}, Env: []string{"A=0"}, Cwd: "/", User: specs.User{UID: 1, GID: 2}},
		"-t -e B=1,2 -e C=3 --cwd /tmp -u 5 -g 7 -g 8 --no-new-privs c1 x": {
			Terminal: true, NoNewPrivileges: true, Args: []string{"x"}, Env: []string{"A=0", "B=1,2", "C=3"}, Cwd: "/tmp",
			User: specs.User{UID: 5, GID: 2, AdditionalGids: []uint32{7, 8}},
		},
		"--user 5:6 c1 x":           {Args: []string{"x"}, Env: []string{"A=0"}, Cwd: "/", User: specs.User{UID: 5, GID: 6}},
		"--process " + file + " c1": {Args: []string{"f"}, Cwd: "/f"},
	} {
		p := &Program{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
		actionOf(t, p, func(c *urfave.Context) error {
			k, err := p.load("c1")
			if err != nil {
				return err
			}
			got, err := execSpec(c, k)
			if err == nil && !reflect.DeepEqual(*got, want) {
				t.Errorf("%s: got %+v, want %+v", line, *got, want)
			}
			return err
		}, append([]string{"--root", root, "exec"}, strings.Fields(line)...)...)
	}
	for _, user := range []string{"root", "1:wheel", "-1", "4294967296"} {
		if err := setUser(new(specs.User), user, nil); err == nil {
			t.Errorf("user %q is accepted", user)
		}
	}
	if err := setUser(new(specs.User), "", []int64{-1}); err == nil {
		t.Error("group -1 is accepted")
	}
}

// go-runc decodes what events prints.
func TestEvents_Stats_AsRuncPrintsThem(t *testing.T) {
	s := asRuncStats(&driver.Usage{CPU: 30000, User: 10000, System: 20000, Memory: 5, MemoryLimit: 6, Pids: 2, PidsLimit: 3, Reads: 7, Writes: 8})
	b, err := json.Marshal(event{"stats", "c1", s})
	if err != nil {
		t.Fatal(err)
	}
	var e runc.Event
	if err := json.Unmarshal(b, &e); err != nil {
		t.Fatal(err)
	}
	if e.Type != "stats" || e.ID != "c1" || e.Stats.Cpu.Usage.Total != 30000 || e.Stats.Cpu.Usage.User != 10000 || e.Stats.Cpu.Usage.Kernel != 20000 ||
		e.Stats.Memory.Usage.Usage != 5 || e.Stats.Memory.Usage.Limit != 6 || e.Stats.Memory.Raw["anon"] != 5 ||
		e.Stats.Pids.Current != 2 || e.Stats.Pids.Limit != 3 || len(e.Stats.Blkio.IoServicedRecursive) != 2 {
		t.Errorf("%s", b)
	}
}

func TestPs_Table_GoRuncReadsIt(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p := &Program{Stdout: f}
	if err := p.processTable([]kernel.Process{{Pid: 12, PPid: 1, Comm: "sh", Runtime: 61*time.Second + 230*time.Millisecond, RSS: 4096}}); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	top, err := runc.ParsePSOutput(b)
	if err != nil || len(top.Processes) != 1 || top.Processes[0][1] != "12" || top.Processes[0][4] != "1:01.23" || top.Processes[0][6] != "sh" {
		t.Errorf("%+v, %v of:\n%s", top, err, b)
	}
}

func TestSelectLines(t *testing.T) {
	out := "USER  PID COMMAND\nroot    1 init\nroot   12 sh -c 1\nroot  123 x"
	got, err := selectLines(out, []int{12, 123})
	if want := "USER  PID COMMAND\nroot   12 sh -c 1\nroot  123 x"; err != nil || got != want {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
	for _, out := range []string{"USER COMMAND\n", "PID\nx\n"} {
		if got, err := selectLines(out, nil); err == nil {
			t.Errorf("%q: got %q, want an error", out, got)
		}
	}
}

// startShell starts a script as a child.
func startShell(t *testing.T, script string, stdout *os.File) int {
	t.Helper()
	p, err := os.StartProcess("/bin/sh", []string{"sh", "-c", script}, &os.ProcAttr{Files: []*os.File{nil, stdout, nil}})
	if err != nil {
		t.Fatal(err)
	}
	return p.Pid
}

func TestForeground_Process_StatusAndSignals(t *testing.T) {
	p := &Program{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
	for script, want := range map[string]int{"exit 3": 3, "exit 0": 0, "kill -9 $$": 137} {
		f, err := p.attach(driver.Process{Pid: startShell(t, script, nil)})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := f.wait(); err != nil || got != want {
			t.Errorf("%s: got %d, %v; want %d", script, got, err, want)
		}
		f.release()
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	f, err := p.attach(driver.Process{Pid: startShell(t, `trap "exit 5" USR1; echo; while :; do sleep 0.01; done`, w)})
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	defer f.release()
	if _, err := r.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	if got, err := f.wait(); err != nil || got != 5 {
		t.Errorf("after the signal: got %d, %v; want 5", got, err)
	}
	// A second one must not end this process before it has cleaned up.
	if err := syscall.Kill(os.Getpid(), syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	select {
	case <-f.signals:
	case <-time.After(10 * time.Second):
		t.Error("the second signal was lost")
	}
}

// A terminal must show all, also if something in the background keeps it open.
func TestTerminal_SlaveStaysOpen_AllOutputIsCopied(t *testing.T) {
	screen, host, err := daemon.OpenTerminal()
	if err != nil {
		t.Fatal(err)
	}
	defer screen.Close()
	master, slave, err := daemon.OpenTerminal()
	if err != nil {
		t.Fatal(err)
	}
	defer slave.Close()
	fd, err := unix.FcntlInt(master.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	master.Close()
	if err := unix.SetNonblock(fd, true); err != nil {
		t.Fatal(err)
	}
	p := &Program{Stdin: host, Stdout: host, Stderr: host}
	term, err := p.openTerminal(os.NewFile(uintptr(fd), "master"))
	if err != nil {
		t.Fatal(err)
	}
	const line = "0123456789\r\n"
	var got bytes.Buffer
	shown := make(chan struct{})
	go func() {
		defer close(shown)
		_, _ = io.CopyN(&got, screen, 100*int64(len(line)))
	}()
	for range 100 {
		if _, err := slave.WriteString("0123456789\n"); err != nil {
			t.Fatal(err)
		}
	}
	term.close()
	select {
	case <-shown:
	case <-time.After(10 * time.Second):
		t.Fatalf("only %q is shown", got.String())
	}
	if want := strings.Repeat(line, 100); got.String() != want {
		t.Errorf("got %q, want %q", got.String(), want)
	}
	host.Close()
}
