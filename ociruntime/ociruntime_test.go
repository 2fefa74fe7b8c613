package ociruntime

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	runc "github.com/containerd/go-runc"

	"jailshim/driver"
)

func write(t *testing.T, dir, name, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// A command of a system without cgroups tells statistics itself.
func TestContainer_StatsOfTheCommand(t *testing.T) {
	dir := t.TempDir()
	answer := filepath.Join(dir, "answer")
	command := write(t, dir, "command", "#!/bin/sh\n[ \"$*\" = \"--log log.json --log-format json --root /r events --stats c1\" ] && exec cat "+answer+"\n", 0o755)
	k := &container{id: "c1", config: &Config{Command: command}, cmd: &runc.Runc{Command: command, Root: "/r", Log: "log.json", LogFormat: runc.JSON}}
	if u, err := k.Stats(t.Context()); !errdefs.IsNotImplemented(err) || !strings.Contains(err.Error(), "command events --stats") {
		t.Errorf("a command without them: %v, %v", u, err)
	}
	write(t, dir, "answer", `{"type":"stats","id":"c1"}`, 0o600)
	if u, err := k.Stats(t.Context()); !errdefs.IsNotImplemented(err) {
		t.Errorf("an event without data: %v, %v", u, err)
	}
	write(t, dir, "answer", `{"type":"stats","id":"c1","data":{"cpu":{"usage":{"total":3000000,"kernel":1000000,"user":2000000}},
		"memory":{"usage":{"limit":100,"usage":50}},"pids":{"current":2,"limit":9},
		"blkio":{"ioServicedRecursive":[{"op":"Read","value":5},{"op":"write","value":7},{"op":"Read","value":1}]}}}`, 0o600)
	want := driver.Usage{CPU: 3 * time.Millisecond, User: 2 * time.Millisecond, System: time.Millisecond,
		Memory: 50, MemoryLimit: 100, Pids: 2, PidsLimit: 9, Reads: 6, Writes: 7}
	for _, when := range []string{"while it runs", "when it has ended"} {
		got, err := k.Stats(t.Context())
		if u, ok := got.(*driver.Usage); err != nil || !ok || *u != want {
			t.Errorf("%s: %+v, %v, want %+v", when, got, err, want)
		}
		if err := os.WriteFile(answer, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLastError_TakesTheLastOne(t *testing.T) {
	log := write(t, t.TempDir(), "log.json", `{"level":"error","msg":"first"}
not json
{"level":"warning","msg":"no"}
{"level":"fatal","msg":"last"}
{"level":"info","msg":"no"}
`, 0o600)
	if got := lastError(log); got == nil || got.Error() != "last" {
		t.Errorf("got %v, want last", got)
	}
	if got := lastError(log + ".missing"); got != nil {
		t.Errorf("missing log: got %v", got)
	}
}

// What jailctl says of an error's class reaches the client.
func TestExplain_Class(t *testing.T) {
	for class, want := range map[string]error{
		`,"class":"already exists"`: errdefs.ErrAlreadyExists,
		`,"class":"not found"`:      errdefs.ErrNotFound,
		`,"class":"of the future"`:  nil,
		"":                          nil,
	} {
		log := write(t, t.TempDir(), "log.json", `{"level":"error","msg":"why"`+class+"}\n", 0o600)
		err := explain("create", log, errors.New("exit status 1"))
		if err == nil || err.Error() != "OCI runtime create: why" {
			t.Errorf("%s: %v", class, err)
		}
		if got := errdefs.Resolve(err); want != nil && !errors.Is(got, want) || want == nil && !errdefs.IsUnknown(got) {
			t.Errorf("%s: class %v, want %v", class, got, want)
		}
	}
}

func TestExplain_WithoutLog_KeepsTheCause(t *testing.T) {
	cause := errors.New("cause")
	if err := explain("start", "", cause); !errors.Is(err, cause) || !strings.Contains(err.Error(), "start") {
		t.Errorf("got %v", err)
	}
	if err := explain("start", "", nil); err != nil {
		t.Errorf("nil became %v", err)
	}
}

func TestParseSpec_OwnPids(t *testing.T) {
	for spec, want := range map[string]bool{
		`{}`:           false,
		`{"linux":{}}`: false,
		`{"linux":{"namespaces":[{"type":"mount"}]}}`:                        false,
		`{"linux":{"namespaces":[{"type":"pid","path":"/proc/1/ns/pid"}]}}`:  false,
		`{"linux":{"namespaces":[{"type":"mount"},{"type":"pid"}]}}`:         true,
		`{"linux":{"namespaces":[{"type":"pid"}],"cgroupsPath":"/default"}}`: true,
	} {
		s, err := parseSpec("config.json", []byte(spec))
		if err != nil || ownPids(s) != (want && pidNamespaces) {
			t.Errorf("%s: %t, %v; want %t", spec, ownPids(s), err, want)
		}
	}
}

func FuzzParseSpec(f *testing.F) {
	f.Add([]byte(`{"linux":{"cgroupsPath":"/a","namespaces":[{"type":"pid"}]}}`))
	f.Add([]byte(`{"linux":null}`))
	f.Add([]byte(good))
	f.Add([]byte(`[`))
	f.Fuzz(func(t *testing.T, in []byte) {
		s, err := parseSpec("config.json", in)
		if err != nil {
			if !errdefs.IsInvalidArgument(err) || s != nil {
				t.Fatalf("%v with error %v", s, err)
			}
			return
		}
		ownPids(s)
		if checkSpec(s) == nil && len(s.Process.Args) == 0 {
			t.Fatal("accepted a spec without a program")
		}
	})
}

func TestNew_MissingCommand_NamesItAndTheOption(t *testing.T) {
	_, err := New(Config{Command: "no-such-runtime"})
	if !errdefs.IsInvalidArgument(err) || !strings.Contains(err.Error(), "no-such-runtime") || !strings.Contains(err.Error(), "oci_runtime") {
		t.Errorf("error %v", err)
	}
}

func TestPid_IsTheBundles(t *testing.T) {
	bundle := t.TempDir()
	r := new(Runtime)
	if pid := r.Pid("x", bundle); pid != 0 {
		t.Errorf("pid %d of nothing", pid)
	}
	if err := os.WriteFile(filepath.Join(bundle, pidFile), []byte("42"), 0o600); err != nil {
		t.Fatal(err)
	}
	if pid := r.Pid("x", bundle); pid != 42 {
		t.Errorf("pid %d, want 42", pid)
	}
}

// good is a spec that can be run.
const good = `{"root":{"path":"rootfs"},"process":{"args":["true"],"cwd":"/"}}`

// A broken config.json is the client's mistake, and the client must learn where.
func TestCreate_BrokenSpec_InvalidArgument(t *testing.T) {
	for spec, names := range map[string]string{
		"":  configFile,
		"{": configFile,
		`{"root":{"path":"rootfs"},"process":{"args":"true"}}`:             "args",
		`{"process":{"args":["true"],"cwd":"/"}}`:                          "root.path",
		`{"root":{"path":"rootfs"}}`:                                       "process",
		`{"root":{"path":"rootfs"},"process":{"cwd":"/"}}`:                 "process.args",
		`{"root":{"path":"rootfs"},"process":{"args":["true"],"cwd":"x"}}`: "process.cwd",
	} {
		bundle := t.TempDir()
		if spec != "" {
			write(t, bundle, configFile, spec, 0o600)
		}
		r := &Runtime{config: Config{Command: "/bin/false", Root: t.TempDir()}}
		_, err := r.Create(context.Background(), &driver.CreateConfig{ID: "c", Bundle: bundle})
		if !errdefs.IsInvalidArgument(err) || !strings.Contains(err.Error(), names) {
			t.Errorf("%q: error %v, want InvalidArgument naming %s", spec, err, names)
		}
	}
}

// script stands in for an OCI runtime that fails: it notes its verb, and its log
// gets an error.
const script = `#!/bin/sh
while [ $# -gt 0 ]; do
	case $1 in
	--log) log=$2; shift ;;
	--root|--log-format) shift ;;
	*) break ;;
	esac
	shift
done
echo "$1" >> "${0%/*}/verbs"
[ "$1" = create ] || exit 0
echo '{"level":"error","msg":"no such program"}' >> "$log"
exit 1
`

func TestCreate_RuntimeFails_IsUndoneAndExplained(t *testing.T) {
	dir, bundle := t.TempDir(), t.TempDir()
	write(t, bundle, configFile, good, 0o600)
	command := write(t, dir, "runtime", script, 0o700)
	root := filepath.Join(dir, "root")
	if err := os.MkdirAll(filepath.Join(root, "c"), 0o700); err != nil { // as a killed create leaves it
		t.Fatal(err)
	}
	r, err := New(Config{Command: command, Root: root})
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.Create(context.Background(), &driver.CreateConfig{ID: "c", Bundle: bundle})
	if err == nil || !strings.Contains(err.Error(), "no such program") {
		t.Errorf("error %v, want the one of the log", err)
	}
	verbs, err := os.ReadFile(filepath.Join(dir, "verbs"))
	if err != nil || string(verbs) != "create\ndelete\n" {
		t.Errorf("verbs %q, %v", verbs, err)
	}
	if _, err := os.Stat(filepath.Join(root, "c")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("state of the runtime: %v, want none", err)
	}
}

// go-runc must report statuses as its own monitor does.
func TestMonitor_ReportsStatus(t *testing.T) {
	m := &monitor{plainStarter{}}
	for script, want := range map[string]int{"exit 0": 0, "exit 3": 3, "kill -9 $$": 255} {
		for _, start := range []func(*exec.Cmd) (chan runc.Exit, error){m.Start, m.StartLocked} {
			cmd := exec.Command("/bin/sh", "-c", script)
			exited, err := start(cmd)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := m.Wait(cmd, exited); err != nil || got != want {
				t.Errorf("%q: status %d, %v; want %d", script, got, err, want)
			}
		}
	}
	if _, err := m.Start(exec.Command("/no/such/program")); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("missing program: %v", err)
	}
}

type plainStarter struct{}

func (plainStarter) Start(c *exec.Cmd) error { return c.Start() }
func (plainStarter) Wait(c *exec.Cmd) error  { return c.Wait() }

// A stream left out would become a pipe of go-runc's, and the command would
// never seem to end.
func TestStreams_NilBecomesNull(t *testing.T) {
	s, err := newStreams(driver.Stdio{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	cmd := exec.Command("/bin/true")
	s.Set(cmd)
	if cmd.Stdin == nil || cmd.Stdout == nil || cmd.Stderr == nil {
		t.Errorf("streams %v, %v, %v", cmd.Stdin, cmd.Stdout, cmd.Stderr)
	}
}
