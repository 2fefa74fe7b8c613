package cli

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"jailshim/internal/need"
)

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

// host is a folder for containers, which other processes make and change.
type host struct {
	t   *testing.T
	dir string
}

func newHost(t *testing.T) *host {
	t.Helper()
	need.Root(t)
	// The kernel's paths are without links, and those of mounts short.
	dir, err := filepath.EvalSymlinks(os.TempDir())
	if err == nil {
		dir, err = os.MkdirTemp(dir, "jt-")
	}
	if err != nil {
		t.Fatal(err)
	}
	h := &host{t, dir}
	t.Cleanup(func() {
		if got := h.run("delete", "--force", "web"); got.status != 0 {
			t.Errorf("delete --force in the end: %+v", got)
		}
		if left, err := os.ReadDir(filepath.Join(dir, "root")); err != nil || len(left) > 0 {
			t.Errorf("left: %v, %v", left, err)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return h
}

// bundle writes a bundle of the host's /rescue, and returns its folder.
func (h *host) bundle(name string, hooks *specs.Hooks, args ...string) string {
	h.t.Helper()
	s := &specs.Spec{
		Version: specs.Version,
		Process: &specs.Process{Args: args, Cwd: "/", Env: []string{"PATH=/rescue"}},
		Root:    &specs.Root{Path: "rootfs"},
		Mounts:  []specs.Mount{{Type: "nullfs", Destination: "/rescue", Source: "/rescue", Options: []string{"ro"}}},
		Hooks:   hooks,
	}
	b, err := json.Marshal(s)
	if err != nil {
		h.t.Fatal(err)
	}
	dir := filepath.Join(h.dir, name)
	if err := os.MkdirAll(filepath.Join(dir, "rootfs"), 0o755); err != nil {
		h.t.Fatal(err)
	}
	write(h.t, filepath.Join(dir, configFile), string(b))
	return dir
}

// hook is one of the shell in /rescue, which is there on the host and in jails.
func hook(script string) []specs.Hook {
	return []specs.Hook{{Path: "/rescue/sh", Args: []string{"sh", "-c", script}, Env: []string{"PATH=/rescue"}}}
}

// running is a command that has been started.
type running struct {
	*exec.Cmd
	h    *host
	done chan output
}

// start starts the command as a process of its own.
func (h *host) start(args ...string) *running {
	h.t.Helper()
	cmd := exec.Command(os.Args[0], append([]string{"--root", filepath.Join(h.dir, "root")}, args...)...)
	cmd.Env = append(os.Environ(), asCommand+"=1")
	// Files: what a container holds open would keep a pipe from its end.
	out, err := os.CreateTemp(h.dir, "out")
	if err != nil {
		h.t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	r := &running{cmd, h, make(chan output, 1)}
	go func() {
		defer out.Close()
		err := cmd.Wait()
		var failed *exec.ExitError
		b, rerr := os.ReadFile(out.Name())
		if err != nil && !errors.As(err, &failed) || rerr != nil {
			h.t.Error(err, rerr)
		}
		r.done <- output{status: cmd.ProcessState.ExitCode(), out: string(b)}
	}()
	return r
}

// wait waits for the end of the command.
func (r *running) wait() output {
	r.h.t.Helper()
	select {
	case got := <-r.done:
		return got
	case <-time.After(patience):
		_ = r.Process.Kill()
		r.h.t.Fatalf("%v does not end", r.Args[3:])
		return output{}
	}
}

func (h *host) run(args ...string) output {
	h.t.Helper()
	return h.start(args...).wait()
}

// must runs a command that succeeds, and returns what it has printed.
func (h *host) must(args ...string) string {
	h.t.Helper()
	got := h.run(args...)
	if got.status != 0 {
		h.t.Fatalf("%v: %+v", args, got)
	}
	return got.out
}

// status returns the container's status.
func (h *host) status(id string) specs.ContainerState {
	h.t.Helper()
	var s specs.State
	if err := json.Unmarshal([]byte(h.must("state", id)), &s); err != nil {
		h.t.Fatal(err)
	}
	return s.Status
}

func TestStart_HookFails_ContainerHasStopped(t *testing.T) {
	for name, hooks := range map[string]*specs.Hooks{
		"startContainer": {StartContainer: hook("sleep 1000 & exit 3")},
		"poststart":      {Poststart: hook("exit 3")},
	} {
		h := newHost(t)
		h.must("create", "--bundle", h.bundle("b", hooks, "sleep", "1000"), "web")
		if got := h.run("start", "web"); got.status != exitFailure || !strings.Contains(got.out, name+" hook") {
			t.Errorf("%s: %+v, want an error of the hook", name, got)
		}
		if got := h.status("web"); got != specs.StateStopped {
			t.Errorf("%s: status %s, want stopped", name, got)
		}
		if got := strings.TrimSpace(h.must("ps", "--format", "json", "web")); got != "[]" {
			t.Errorf("%s: processes %s are left", name, got)
		}
		h.must("delete", "web")
	}
}

// How its program ended is what the caller of run waits for, whatever is left then.
func TestRun_CanNotBeRemoved_StatusIsThePrograms(t *testing.T) {
	h := newHost(t)
	state := filepath.Join(h.dir, "root", "web", "state.json")
	hooks := &specs.Hooks{Poststart: hook("chflags schg " + state)}
	got := h.run("run", "--bundle", h.bundle("b", hooks, "sh", "-c", "sleep 0.5; exit 7"), "web")
	if out, err := exec.Command("chflags", "noschg", state).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if got.status != 7 || !strings.Contains(got.out, "left") {
		t.Errorf("%+v, want status 7, and an error about what is left", got)
	}
	h.must("delete", "web")
}

// Who reads a pid file takes the process for one that runs.
func TestRun_StartFails_NoPidFile(t *testing.T) {
	h := newHost(t)
	pidFile := filepath.Join(h.dir, "pid")
	failing := h.bundle("b", &specs.Hooks{Poststart: hook("exit 3")}, "sleep", "1000")
	if got := h.run("run", "--detach", "--pid-file", pidFile, "--bundle", failing, "web"); got.status != exitFailure {
		t.Errorf("%+v, want an error of the hook", got)
	}
	if b, err := os.ReadFile(pidFile); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the pid file says %q, %v", b, err)
	}
	h.must("run", "--detach", "--pid-file", pidFile, "--bundle", h.bundle("c", nil, "sleep", "1000"), "web")
	if b, err := os.ReadFile(pidFile); err != nil || len(b) == 0 {
		t.Errorf("the pid file says %q, %v", b, err)
	}
	h.must("delete", "--force", "web")
}

func TestDelete_PoststopHookFails_OthersRun(t *testing.T) {
	h := newHost(t)
	file := filepath.Join(h.dir, "ran")
	hooks := &specs.Hooks{Poststop: append(hook("exit 3"), hook("echo > "+file)...)}
	h.must("run", "--detach", "--bundle", h.bundle("b", hooks, "sleep", "1000"), "web")
	if got := h.must("delete", "--force", "web"); !strings.Contains(got, "exit status 3") {
		t.Errorf("no warning: %q", got)
	}
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
}

// A hook that hangs must not keep anybody from removing the container, and what hooks did
// is undone once, by those for it.
func TestDelete_ForceWhileAHookHangs_NothingIsLeft(t *testing.T) {
	for name, hang := range map[string]struct {
		hooks   specs.Hooks
		begun   string // the file that the hook makes, from the bundle
		stopped bool   // the command does not even handle signals
	}{
		"createRuntime":              {specs.Hooks{CreateRuntime: hook("echo $$ > $BEGUN; exec sleep 1000")}, "begun", false},
		"createRuntime, and stopped": {specs.Hooks{CreateRuntime: hook("echo $$ > $BEGUN; exec sleep 1000")}, "begun", true},
		"startContainer":             {specs.Hooks{StartContainer: hook("echo $$ > /begun; exec sleep 1000")}, "rootfs/begun", false},
		"poststart":                  {specs.Hooks{Poststart: hook("echo $$ > $BEGUN; exec sleep 1000")}, "begun", false},
	} {
		h := newHost(t)
		begun := filepath.Join(h.dir, "b", hang.begun)
		for _, hooks := range [][]specs.Hook{hang.hooks.CreateRuntime, hang.hooks.Poststart} {
			for i := range hooks {
				hooks[i].Env = append(hooks[i].Env, "BEGUN="+begun)
			}
		}
		ended := filepath.Join(h.dir, "ended")
		hang.hooks.Poststop = hook("echo once >> " + ended)
		r := h.start("run", "--detach", "--bundle", h.bundle("b", &hang.hooks, "sleep", "1000"), "web")
		for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
			if _, err := os.Stat(begun); err == nil {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("%s: the hook does not begin", name)
			}
		}
		if hang.stopped {
			if err := r.Process.Signal(syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
			defer killWhoWrote(t, begun) // it is nobody's child any more
		}
		h.must("delete", "--force", "web")
		if got := r.wait(); got.status == 0 {
			t.Errorf("%s: run succeeded", name)
		}
		if got := h.run("state", "web"); got.status == 0 {
			t.Errorf("%s: the container is still there: %s", name, got.out)
		}
		if b, err := os.ReadFile(ended); string(b) != "once\n" {
			t.Errorf("%s: the poststop hook wrote %q, %v", name, b, err)
		}
	}
}

// killWhoWrote kills the process whose pid is in a file.
func killWhoWrote(t *testing.T, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Error(err)
	}
}

// A run that waits for its container must not remove what has its name by then.
func TestRun_DeletedAndMadeAnew_TheNewOneStays(t *testing.T) {
	h := newHost(t)
	bundle := h.bundle("b", nil, "sleep", "1000")
	r := h.start("run", "--bundle", bundle, "web")
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if got := h.run("state", "web"); strings.Contains(got.out, `"running"`) {
			break
		}
		if time.Now().After(end) {
			t.Fatal("it does not run")
		}
	}
	if err := r.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	h.must("delete", "--force", "web")
	h.must("run", "--detach", "--bundle", bundle, "web")
	if err := r.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if got := r.wait(); got.status != statusOfSignal+int(syscall.SIGKILL) {
		t.Errorf("the first run: %+v", got)
	}
	if got := h.status("web"); got != specs.StateRunning {
		t.Errorf("the new container is %s", got)
	}
}

// The bundle is its maker's, who may use it for something else.
func TestExec_ProcessWithoutTheBundle_HasTheContainersUmask(t *testing.T) {
	h := newHost(t)
	bundle := h.bundle("b", nil, "sleep", "1000")
	config := filepath.Join(bundle, configFile)
	b, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	write(t, config, strings.Replace(string(b), `"user":{`, `"user":{"umask":23,`, 1))
	h.must("run", "--detach", "--bundle", bundle, "web")
	if err := os.Remove(config); err != nil {
		t.Fatal(err)
	}
	process := write(t, filepath.Join(h.dir, "process.json"), `{"args":["/rescue/sh","-c","umask"],"cwd":"/"}`)
	if got := h.must("exec", "--process", process, "web"); got != "0027\n" {
		t.Errorf("umask %q, want 0027", got)
	}
}
