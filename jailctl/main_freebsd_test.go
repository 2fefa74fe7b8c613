package jailctl

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"jailshim/driver"
	"jailshim/internal/need"
	"jailshim/jailctl/kernel"
)

func TestMain(m *testing.M) {
	if os.Getenv("JT_PROGRAM") == "mlock" {
		os.Exit(lockMemory())
	}
	if os.Getuid() == 0 {
		// Orphans of containers come to us, as they do to the shim.
		if err := kernel.BecomeReaper(); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// lockMemory is a program that tests run in a container: it tries to lock a page, and
// exits with 0 if it may.
func lockMemory() int {
	if err := unix.Mlock(make([]byte, os.Getpagesize())); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// testRuntime is a runtime with a folder for bundles.
type testRuntime struct {
	*Runtime
	dir string
}

func newRuntime(tb testing.TB) *testRuntime {
	tb.Helper()
	need.Root(tb)
	// Mount paths are short, and the kernel's are without links.
	dir, err := os.MkdirTemp(realPath(os.TempDir()), "jt-")
	if err != nil {
		tb.Fatal(err)
	}
	rt := &testRuntime{New(Config{Root: filepath.Join(dir, "state"), Namespace: "jt"}), dir}
	tb.Cleanup(func() {
		rt.expectClean(tb)
		if err := os.RemoveAll(dir); err != nil {
			tb.Error(err)
		}
	})
	return rt
}

// expectClean fails the test if anything of its containers is left.
func (rt *testRuntime) expectClean(tb testing.TB) {
	tb.Helper()
	mounts, err := kernel.Mounts()
	if err != nil {
		tb.Fatal(err)
	}
	for _, m := range mounts {
		if within(m.On, rt.dir) {
			tb.Errorf("still mounted: %s on %s", m.Type, m.On)
			_ = kernel.UnmountID(m.ID, true)
		}
	}
	jails, err := kernel.Jails(true)
	if err != nil {
		tb.Fatal(err)
	}
	for _, j := range jails {
		if within(j.Path, rt.dir) {
			tb.Errorf("jail %d (%s) is still there; dying: %v", j.ID, j.Name, j.Dying)
			if j, err := kernel.OpenJailID(j.ID); err == nil {
				_ = j.Remove()
			}
		}
	}
	names, err := rt.store.names()
	if err != nil {
		tb.Fatal(err)
	}
	if len(names) > 0 {
		tb.Errorf("state is left: %v", names)
	}
}

// spec is a container of the host's /rescue in an empty root, on the host's
// network.
func spec(args ...string) *specs.Spec {
	return &specs.Spec{
		Version: specs.Version,
		Process: &specs.Process{Args: args, Cwd: "/", Env: []string{"PATH=/rescue"}},
		Root:    &specs.Root{Path: "rootfs"},
		Mounts: []specs.Mount{
			{Type: "devfs", Destination: "/dev", Source: "devfs", Options: []string{"ruleset=4"}},
			{Type: "nullfs", Destination: "/rescue", Source: "/rescue", Options: []string{"ro"}},
		},
	}
}

// bundle writes a bundle, and returns its folder.
func (rt *testRuntime) bundle(tb testing.TB, id string, s *specs.Spec) string {
	tb.Helper()
	dir := filepath.Join(rt.dir, id)
	if err := os.MkdirAll(filepath.Join(dir, "rootfs"), 0o755); err != nil {
		tb.Fatal(err)
	}
	b, err := json.Marshal(s)
	if err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), b, 0o644); err != nil {
		tb.Fatal(err)
	}
	return dir
}

// life is a container in a test.
type life struct {
	driver.Container
	tb   testing.TB
	out  *os.File
	data chan []byte
}

func (rt *testRuntime) create(tb testing.TB, id string, s *specs.Spec) *life {
	tb.Helper()
	l, err := rt.tryCreate(tb, id, s)
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

func (rt *testRuntime) tryCreate(tb testing.TB, id string, s *specs.Spec) (*life, error) {
	tb.Helper()
	return rt.createConfig(tb, &driver.CreateConfig{ID: id, Bundle: rt.bundle(tb, id, s)})
}

func (rt *testRuntime) createConfig(tb testing.TB, c *driver.CreateConfig) (*life, error) {
	tb.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		tb.Fatal(err)
	}
	defer w.Close()
	c.Stdio = driver.Stdio{Stdout: w, Stderr: w}
	k, err := rt.Create(context.Background(), c)
	if err != nil {
		r.Close()
		return nil, err
	}
	l := &life{k, tb, r, make(chan []byte, 1)}
	go func() {
		b, _ := io.ReadAll(r)
		l.data <- b
	}()
	tb.Cleanup(l.remove)
	return l, nil
}

// remove is what a test that went wrong leaves to do.
func (l *life) remove() {
	if pid := l.Init().Pid; pid != 0 {
		_ = syscall.Kill(pid, syscall.SIGKILL)
		_, _ = syscall.Wait4(pid, nil, 0, nil)
	}
	if err := l.Delete(context.Background()); err != nil {
		l.tb.Errorf("delete: %v", err)
	}
	l.out.Close()
}

func (l *life) start() {
	l.tb.Helper()
	if err := l.Start(context.Background()); err != nil {
		l.tb.Fatal(err)
	}
}

// wait returns the init's exit status, 128 + signal if it was killed.
func (l *life) wait() int {
	l.tb.Helper()
	status := waitFor(l.tb, l.Init().Pid)
	if err := l.Quiesce(context.Background()); err != nil {
		l.tb.Error(err)
	}
	return status
}

func waitFor(tb testing.TB, pid int) int {
	tb.Helper()
	var ws syscall.WaitStatus
	for {
		_, err := syscall.Wait4(pid, &ws, 0, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			tb.Fatalf("wait for process %d: %v", pid, err)
		}
		break
	}
	if ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return ws.ExitStatus()
}

// output returns all that the container has written, once it has ended.
func (l *life) output() string {
	l.tb.Helper()
	select {
	case b := <-l.data:
		l.data <- b
		return string(b)
	case <-time.After(10 * time.Second):
		l.tb.Fatal("the output does not end")
		return ""
	}
}

// run creates, starts and waits for a container, and returns status and output.
func (rt *testRuntime) run(tb testing.TB, id string, s *specs.Spec) (int, string) {
	tb.Helper()
	l := rt.create(tb, id, s)
	l.start()
	status := l.wait()
	return status, l.output()
}

// exec runs a process in the container to its end.
func (l *life) exec(p *specs.Process) (int, string) {
	l.tb.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		l.tb.Fatal(err)
	}
	defer r.Close()
	if p.Cwd == "" {
		p.Cwd = "/"
	}
	got, err := l.Exec(context.Background(), &driver.ExecConfig{ID: "x", Spec: p, Stdio: driver.Stdio{Stdout: w, Stderr: w}})
	w.Close()
	if err != nil {
		l.tb.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := b.ReadFrom(r); err != nil {
		l.tb.Fatal(err)
	}
	return waitFor(l.tb, got.Pid), b.String()
}

// sh is an exec of the shell.
func (l *life) sh(script string) string {
	l.tb.Helper()
	status, out := l.exec(&specs.Process{Args: []string{"/rescue/sh", "-c", script}, Env: []string{"PATH=/rescue"}})
	if status != 0 {
		l.tb.Errorf("%s: exit status %d, output %q", script, status, out)
	}
	return strings.TrimSuffix(out, "\n")
}
