package cli

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	runc "github.com/containerd/go-runc"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	urfave "github.com/urfave/cli"

	"jailshim/jailctl"
	"jailshim/netsetup"
	"jailshim/shim"
)

// asCommand makes the test binary the command.
const asCommand = "JAILCTL_TEST_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		p := &Program{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
		os.Exit(p.Run(context.Background(), os.Args))
	}
	os.Exit(m.Run())
}

// output is what a run of the command has printed, and its exit status.
type output struct {
	status   int
	out, err string
}

// run runs the command in this process.
func run(t *testing.T, args ...string) output {
	t.Helper()
	var files [2]*os.File
	for i := range files {
		f, err := os.CreateTemp(t.TempDir(), "out")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		files[i] = f
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	p := &Program{Stdin: null, Stdout: files[0], Stderr: files[1], SetLog: func(l *slog.Logger) {
		before := slog.Default()
		slog.SetDefault(l)
		t.Cleanup(func() { slog.SetDefault(before) })
	}}
	o := output{status: p.Run(t.Context(), append([]string{name}, args...))}
	for i, text := range []*string{&o.out, &o.err} {
		b, err := os.ReadFile(files[i].Name())
		if err != nil {
			t.Fatal(err)
		}
		*text = string(b)
	}
	return o
}

// write writes a file, and returns its path.
func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// writeState makes a container that has ended, as far as its state goes.
func writeState(t *testing.T, root string, s jailctl.State) {
	t.Helper()
	s.Version = 1
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(root, s.ID, "state.json"), string(b))
}

// Command lines as callers write them, on containers and bundles that do not
// exist: a flag that is refused, or that takes the next argument, would show.
func TestRun_CallersCommandLines_AreUnderstood(t *testing.T) {
	dir := t.TempDir()
	root, log := filepath.Join(dir, "root"), filepath.Join(dir, "log")
	process := write(t, filepath.Join(dir, "process.json"), `{"args":["true"],"cwd":"/"}`)
	limits := write(t, filepath.Join(dir, "limits.json"), `{}`)
	const unknown, noBundle = `container "c1" does not exist`, "no such file or directory"
	for line, want := range map[string]string{
		// go-runc
		"create --bundle B --pid-file P c1": noBundle,
		"create --bundle B --pid-file P --console-socket S --no-pivot --no-new-keyring --preserve-fds 2 c1": noBundle,
		"run --bundle B --pid-file P --detach c1":                                                           noBundle,
		"run --keep --no-subreaper -b B -d c1":                                                              noBundle,
		"start c1":                                                                                          unknown,
		"state c1":                                                                                          unknown,
		"kill c1 9":                                                                                         unknown,
		"kill --all c1 15":                                                                                  unknown,
		"delete c1":                                                                                         unknown,
		"pause c1":                                                                                          unknown,
		"resume c1":                                                                                         unknown,
		"ps --format json c1":                                                                               unknown,
		"ps --format table c1 -ef":                                                                          unknown,
		"events --stats c1":                                                                                 unknown,
		"events --interval=2s c1":                                                                           unknown,
		"update --resources=- c1":                                                                           unknown,
		"exec --process F --detach --pid-file P c1":                                                         unknown,
		"exec --process F --console-socket S --detach --pid-file P c1": unknown,
		// conmon, for podman
		"--systemd-cgroup create --bundle B --pid-file P --no-pivot --no-new-keyring --console-socket S c1": noBundle,
		"exec --pid-file P --process F --detach --preserve-fds 1 --cgroup /x c1":                            unknown,
		"update --resources=L c1": unknown,
		// buildah
		"kill c1":         unknown,
		"kill c1 SIGKILL": unknown,
		// people
		"kill -a c1 term": unknown,
		"kill c1 TERM -a": unknown,
		"exec -t -e A=1 -e B=2 --cwd /tmp -u 5:6 -g 7 -g 8 --no-new-privs --cap CAP_KILL --apparmor a --process-label l --ignore-paused c1 ls -l --detach": unknown,
		"update --memory 64m --cpu-share 5 --pids-limit 7 --cpuset-cpus 0-1 c1":                                                                            unknown,
		"--debug --rootless=true state c1": unknown,
	} {
		args := []string{"--root", root, "--log", log, "--log-format", "json"}
		for word := range strings.FieldsSeq(line) {
			switch word {
			case "B":
				word = filepath.Join(dir, "no-bundle")
			case "P":
				word = filepath.Join(dir, "pid")
			case "S":
				word = filepath.Join(dir, "socket")
			case "F":
				word = process
			case "--resources=L":
				word = "--resources=" + limits
			}
			args = append(args, word)
		}
		got := run(t, args...)
		status := exitFailure
		if slices.Contains(args, "exec") {
			status = exitExecFailure
		}
		if got.status != status || !strings.HasPrefix(got.err, "jailctl: ") || !strings.Contains(got.err, want) || got.out != "" {
			t.Errorf("%s: %+v, want exit status %d and an error with %q", line, got, status, want)
		}
	}
	if got := run(t, "--root", root, "delete", "--force", "c1"); got.status != 0 {
		t.Errorf("delete --force of an unknown container: %+v", got)
	}
	if left, err := filepath.Glob(root + "/*"); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// The shim speaks to the command through go-runc, whose parsers are the contract.
func TestRun_GoRunc_UnderstandsOutputAndErrors(t *testing.T) {
	t.Setenv(asCommand, "1")
	dir := t.TempDir()
	root := filepath.Join(dir, "root")
	created := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	writeState(t, root, jailctl.State{
		ID: "web", Bundle: "/b", Root: "/b/rootfs", Created: created, JID: 7, Annotations: map[string]string{"a": "b"},
	})
	c := &runc.Runc{Command: os.Args[0], Root: root, Log: filepath.Join(dir, "log"), LogFormat: runc.JSON}
	k, err := c.State(t.Context(), "web")
	if err != nil {
		t.Fatal(err)
	}
	if k.ID != "web" || k.Status != "stopped" || k.Pid != 0 || k.Bundle != "/b" || k.Rootfs != "/b/rootfs" || !k.Created.Equal(created) ||
		k.Annotations["a"] != "b" || k.Annotations[jailctl.AnnotationJID] != "7" {
		t.Errorf("state %+v", k)
	}
	all, err := c.List(t.Context())
	if err != nil || len(all) != 1 || all[0].ID != "web" {
		t.Errorf("list %v, %v", all, err)
	}
	f, err := c.Features(t.Context())
	if err != nil || f.OCIVersionMax != specs.Version || !strings.Contains(f.Annotations[jailctl.AnnotationParams], "allow.mlock") ||
		!slices.Contains(f.PotentiallyUnsafeConfigAnnotations, "org.freebsd.jail.") {
		t.Errorf("features %+v, %v", f, err)
	}
	// It only knows the version of runc itself.
	if v, err := c.Version(t.Context()); err != nil {
		t.Errorf("version %v, %v", v, err)
	}
	if err := c.Kill(t.Context(), "web", 15, nil); err == nil || !strings.Contains(err.Error(), "container not running") {
		t.Errorf("kill of a stopped container: %v", err)
	}
	if err := c.Start(t.Context(), "web"); err == nil || !strings.Contains(err.Error(), "has stopped") {
		t.Errorf("start of a stopped container: %v", err)
	}
	if _, err := c.Stats(t.Context(), "web"); err == nil {
		t.Error("statistics of a stopped container")
	}
	err = c.Exec(t.Context(), "web", specs.Process{Args: []string{"true"}, Cwd: "/"}, &runc.ExecOpts{Detach: true})
	var status *runc.ExitError
	if !errors.As(err, &status) || status.Status != exitExecFailure {
		t.Errorf("exec in a stopped container: %v", err)
	}
	b, err := os.ReadFile(c.Log)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	var entry struct{ Level, Msg, Time string }
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &entry); err != nil {
		t.Fatal(err)
	}
	if _, err := time.Parse(time.RFC3339Nano, entry.Time); err != nil || entry.Level != "error" || entry.Msg != "exec failed: cannot exec in a container that is stopped" {
		t.Errorf("log entry %+v, %v", entry, err)
	}
}

func TestRun_Version_NamesTheSpecification(t *testing.T) {
	got := run(t, "--version")
	if !strings.HasPrefix(got.out, "jailctl version ") || !strings.Contains(got.out, "\nspec: 1.3.0\n") || got.status != 0 {
		t.Errorf("%+v", got)
	}
}

func TestRun_BadUsage_SaysWhatAndExitsWith1(t *testing.T) {
	for line, want := range map[string]string{
		"frobnicate":                       `unknown command "frobnicate"`,
		"--frob list":                      "-frob",
		"state --frob x":                   "-frob",
		"state":                            "requires exactly 1 argument",
		"state a b":                        "requires exactly 1 argument",
		"kill":                             "requires a minimum of 1 argument",
		"kill a b c":                       "requires a maximum of 2 argument",
		"kill a NOSUCH":                    `unknown signal "NOSUCH"`,
		"--log-format xml list":            `invalid log-format "xml"`,
		"--root / list":                    "--root",
		"list --format xml":                `invalid format "xml"`,
		"events --interval 0s x":           "--interval",
		"create --pidfd-socket s x":        "--pidfd-socket",
		"spec --explain /no/such/bundle":   "no such file or directory",
		"--log /no/such/folder/file list":  "/no/such/folder/file",
		"create --bundle /no/such/bundle ": "requires exactly 1 argument",
	} {
		args := append([]string{"--root", filepath.Join(t.TempDir(), "root")}, strings.Fields(line)...)
		if got := run(t, args...); got.status != exitFailure || !strings.HasPrefix(got.err, "jailctl: ") || strings.Count(got.err, "\n") != 1 || !strings.Contains(got.err, want) {
			t.Errorf("%s: %+v, want %q", line, got, want)
		}
	}
}

// podman shows the log's one line, or else all of stderr.
func TestJournal_Formats(t *testing.T) {
	missing := []string{"--root", t.TempDir(), "state", "c1"}
	const text = `container \"c1\" does not exist`
	if got := run(t, append([]string{"--log-format", "json"}, missing...)...); strings.Count(got.err, "\n") != 1 || !strings.Contains(got.err, `"level":"error","msg":"`+text+`","class":"not found"}`) {
		t.Errorf("json on stderr: %q", got.err)
	}
	log := filepath.Join(t.TempDir(), "log")
	run(t, append([]string{"--log", log}, missing...)...)
	b, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(b), `level=error msg="`+text+`" class="not found"`) {
		t.Errorf("text in a file: %q", b)
	}
}

func TestJournal_SeveralErrors_OneLine(t *testing.T) {
	var b strings.Builder
	j := &journal{stderr: &b}
	j.fail(errors.Join(errors.New("one"), errors.New("two")))
	if got := b.String(); got != "jailctl: one; two\n" {
		t.Errorf("%q", got)
	}
}

// Descriptors that are not there would become others in the container.
func TestRun_PreserveFDs_MustBeOpen(t *testing.T) {
	bundle := t.TempDir()
	// A plan that is refused on every system ends it before anything is made.
	write(t, filepath.Join(bundle, "config.json"), `{"ociVersion":"1.0.0","root":{"path":"rootfs"},"process":{"args":["x"],"cwd":"/"},"annotations":{"org.freebsd.jail.nosuch":"1"}}`)
	if err := os.Mkdir(filepath.Join(bundle, "rootfs"), 0o755); err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	for files, refused := range [][]string{1: {"descriptor 4"}, 2: nil} {
		if files == 0 {
			continue
		}
		cmd := exec.Command(os.Args[0], "--root", filepath.Join(t.TempDir(), "root"), "create", "--bundle", bundle, "--preserve-fds", "2", "c1")
		cmd.Env = append(os.Environ(), asCommand+"=1")
		cmd.ExtraFiles = []*os.File{r, w}[:files]
		out, err := cmd.CombinedOutput()
		if err == nil || strings.Contains(string(out), "descriptor 4") != (refused != nil) {
			t.Errorf("%d files: %v, %s", files, err, out)
		}
	}
}

func TestList_StatesOnDisk_TableAndIDs(t *testing.T) {
	root := t.TempDir()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	writeState(t, root, jailctl.State{ID: "web", Bundle: "/b1", Created: at})
	writeState(t, root, jailctl.State{ID: "db", Bundle: "/b2", Created: at})
	write(t, filepath.Join(root, "bad", "state.json"), "{")
	write(t, filepath.Join(root, "other", "state.json"), `{"Version":99}`)
	if got := run(t, "--root", root, "list", "-q"); got.out != "db\nweb\n" || got.status != 0 || !strings.Contains(got.err, "level=warning") {
		t.Errorf("ids: %+v", got)
	}
	got := run(t, "--root", root, "list")
	lines := strings.Split(got.out, "\n")
	if len(lines) != 4 || strings.Join(strings.Fields(lines[0]), " ") != "ID PID STATUS BUNDLE CREATED OWNER" ||
		!strings.HasPrefix(strings.Join(strings.Fields(lines[1]), " "), "db 0 stopped /b2 2026-01-02T03:04:05Z ") {
		t.Errorf("table:\n%s", got.out)
	}
	if got := run(t, "--root", t.TempDir(), "list", "--format", "json"); got.out != "[]\n" {
		t.Errorf("no containers: %q", got.out)
	}
	if got := run(t, "--root", filepath.Join(root, "none"), "list"); got.status != 0 {
		t.Errorf("no folder: %+v", got)
	}
}

// What a create leaves that is killed right at its start.
func TestRun_FolderWithoutState_IsRemovedByDeleteAndGC(t *testing.T) {
	for _, command := range [][]string{{"delete", "web"}, {"delete", "--force", "web"}, {"gc"}, {"gc", "-n"}} {
		root := t.TempDir()
		dir := filepath.Join(root, "web")
		write(t, filepath.Join(root, ".web.lock"), "")
		write(t, filepath.Join(dir, "state.json.new"), "{")
		old := time.Now().Add(-time.Hour)
		if err := os.Chtimes(dir, old, old); err != nil {
			t.Fatal(err)
		}
		out, err := os.CreateTemp(t.TempDir(), "out")
		if err != nil {
			t.Fatal(err)
		}
		defer out.Close()
		net := t.TempDir()
		p := &Program{
			root: root, runtime: jailctl.New(jailctl.Config{Root: root}), Stdout: out,
			networks: netsetup.Options{StateDir: net, RunDir: net, LinkDir: net, Prefix: "jt"},
		}
		if command[0] == "gc" {
			// Not the machine's own state.
			if err := p.collect(t.Context(), t.TempDir(), len(command) > 1); err != nil {
				t.Error(err)
			}
		} else {
			run(t, append([]string{"--root", root}, command...)...)
		}
		left, err := os.ReadDir(root)
		if err != nil {
			t.Fatal(err)
		}
		if want := len(command) > 1 && command[1] == "-n"; (len(left) > 0) != want {
			t.Errorf("%v: left %v", command, left)
		}
	}
}

// The shim's folders are found, and nothing that looks like them.
func TestShimRuntimes_FindsNamespacesOnly(t *testing.T) {
	if stateRoot != shim.StateRoot {
		t.Errorf("state root %s, and the shim's is %s", stateRoot, shim.StateRoot)
	}
	base := t.TempDir()
	daemon := filepath.Base(shim.StateDir("/run/containerd.sock"))
	for _, dir := range []string{daemon + "/jails/default", daemon + "/jails/k8s.io", daemon + "/oci/default", "oci/jails/root", "oci/web"} {
		if err := os.MkdirAll(filepath.Join(base, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(shimRuntimes(base)); got != 2 {
		t.Errorf("%d folders, want 2", got)
	}
}

// A command is described if its name is among the arguments, wherever, and all are if none is.
func TestCommands_Described(t *testing.T) {
	p := new(Program)
	all := p.commands(t.Context(), []string{name, "--help"})
	if len(all) != 18 {
		t.Errorf("%d commands without a name among the arguments, want 18", len(all))
	}
	for _, c := range all {
		got := p.commands(t.Context(), []string{name, "--root", "/r", c.Name, "id"})
		if len(got) != 1 || got[0].Name != c.Name {
			t.Errorf("%s: described are %d commands", c.Name, len(got))
		}
	}
	if got := p.commands(t.Context(), []string{name, "--root", "state", "start", "kill"}); len(got) != 3 {
		t.Errorf("a folder, a command and an id of commands' names: %d commands, want 3", len(got))
	}
}

// actionOf runs a command line with another action in place of the command's.
func actionOf(t *testing.T, p *Program, action func(*urfave.Context) error, args ...string) {
	t.Helper()
	app := p.app(t.Context(), args)
	for i := range app.Commands {
		if slices.Contains(args, app.Commands[i].Name) {
			app.Commands[i].Action = action
		}
	}
	if err := app.Run(append([]string{name}, args...)); err != nil {
		t.Errorf("%v: %v", args, err)
	}
}
