package jailctl

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"jailshim/driver"
	"jailshim/jailctl/kernel"
)

func TestRuntime_WholeLife_StatusOutputAndNothingLeft(t *testing.T) {
	rt := newRuntime(t)
	l := rt.create(t, "web", spec("sh", "-c", "echo hello; exit 7"))
	pid := l.Init().Pid
	if p, err := kernel.ProcessByID(pid); err != nil || p.Jid == 0 {
		t.Errorf("the init before its start: %+v, %v; want it in its jail", p, err)
	}
	l.start()
	if got := l.Init().Pid; got != pid {
		t.Errorf("the pid changed from %d to %d", pid, got)
	}
	if got := l.wait(); got != 7 {
		t.Errorf("status %d, want 7", got)
	}
	if got := l.output(); got != "hello\n" {
		t.Errorf("output %q", got)
	}
	for range 2 { // a repeated Delete is no error
		if err := l.Delete(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRuntime_MissingProgram_CreateFailsAndNothingIsLeft(t *testing.T) {
	rt := newRuntime(t)
	for name, args := range map[string][]string{
		"path":   {"/no/such"},
		"name":   {"no-such"},
		"folder": {"/rescue"},
	} {
		_, err := rt.tryCreate(t, name, spec(args...))
		if !errdefs.IsNotFound(err) {
			t.Errorf("%s: got error %v, want one wrapping ErrNotFound", name, err)
		}
		rt.expectClean(t)
	}
}

func TestRuntime_SameID_AlreadyExists(t *testing.T) {
	rt := newRuntime(t)
	l := rt.create(t, "web", spec("sleep", "100"))
	if _, err := rt.tryCreate(t, "web", spec("sleep", "100")); !errdefs.IsAlreadyExists(err) {
		t.Errorf("got error %v, want one wrapping ErrAlreadyExists", err)
	}
	if pids, err := l.Pids(context.Background()); err != nil || !slices.Equal(pids, []int{l.Init().Pid}) {
		t.Errorf("the first one: processes %v, %v", pids, err)
	}
}

// Somebody else's jail of the same name is not ours to remove.
func TestRuntime_JailOfTheNameIsThere_RefusedAndUntouched(t *testing.T) {
	rt := newRuntime(t)
	name := rt.name("taken")
	other, err := kernel.CreateJail([]kernel.Param{kernel.String("name", name), kernel.String("path", "/"), kernel.Bool("persist", true)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := other.Remove(); err != nil {
			t.Errorf("the other jail: %v", err)
		}
	}()
	limited := kernel.RacctEnabled()
	if limited {
		if err := kernel.AddRule(kernel.Rule{Jail: name, Resource: "maxproc", Action: "deny", Amount: 50}); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := kernel.RemoveRules(name); err != nil {
				t.Error(err)
			}
		}()
	}
	if _, err := rt.tryCreate(t, "taken", spec("sleep", "100")); !errdefs.IsAlreadyExists(err) {
		t.Errorf("got error %v, want one wrapping ErrAlreadyExists", err)
	}
	if rules, err := kernel.Rules(name); limited && len(rules) != 1 || err != nil {
		t.Errorf("the other jail's limits: %v, %v", rules, err)
	}
	if s, err := kernel.StateOfJail(other.ID); err != nil || s != kernel.JailAlive {
		t.Errorf("the other jail: state %v, %v", s, err)
	}
}

func TestRuntime_ProcessOfSpec_Obeyed(t *testing.T) {
	rt := newRuntime(t)
	mask := uint32(0o27)
	process := func(script string) *specs.Process {
		return &specs.Process{
			Args: []string{"sh", "-c", script}, Cwd: "/srv/here", Env: []string{"PATH=/rescue", "X=1 2"},
			User:            specs.User{UID: 1001, GID: 1002, AdditionalGids: []uint32{1003, 1004}, Umask: &mask},
			Rlimits:         []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 77, Hard: 99}, {Type: "RLIMIT_CORE", Soft: 0, Hard: 0}},
			NoNewPrivileges: true,
		}
	}
	const script = `id -u; id -g; id -G; pwd; umask; echo "$X"; ulimit -n; ulimit -Hn; ulimit -c`
	const want = "1001\n1002\n1002 1003 1004\n/srv/here\n0027\n1 2\n77\n99\n0\n"
	s := spec()
	s.Process = process(script + "; : > /srv/said; while :; do sleep 1; done")
	s.Mounts = append(s.Mounts, specs.Mount{Type: "tmpfs", Source: "tmpfs", Destination: "/srv", Options: []string{"mode=1777"}})
	l := rt.create(t, "init", s)
	l.start()
	// The init is killed after that, and must have said all by then.
	if status, got := l.exec(process("until [ -e /srv/said ]; do sleep 0.1; done; " + script)); status != 0 || got != want {
		t.Errorf("exec: status %d, got %q, want %q", status, got, want)
	}
	if err := syscall.Kill(l.Init().Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if got := l.wait(); got != 128+9 {
		t.Errorf("status %d after SIGKILL", got)
	}
	if got := l.output(); got != want {
		t.Errorf("init: got %q, want %q", got, want)
	}
}

func TestRuntime_ReadonlyRoot_MountsInsideWork(t *testing.T) {
	rt := newRuntime(t)
	s := spec("sh", "-c", "(: > /x); : > /tmp/y && echo made; pwd")
	s.Root.Readonly = true
	s.Process.Cwd = "/deep/er"
	s.Mounts = append(s.Mounts, specs.Mount{Type: "tmpfs", Source: "tmpfs", Destination: "/tmp"})
	status, out := rt.run(t, "ro", s)
	if status != 0 || !strings.Contains(out, "cannot create /x: Read-only file system") || !strings.HasSuffix(out, "made\n/deep/er\n") {
		t.Errorf("status %d, output %q", status, out)
	}
}

func TestRuntime_TmpfsCopiesUp_ContentIsThere(t *testing.T) {
	rt := newRuntime(t)
	s := spec("sh", "-c", "cat /data/a; : > /data/b")
	s.Mounts = append(s.Mounts, specs.Mount{Type: "tmpfs", Source: "tmpfs", Destination: "/data", Options: []string{"tmpcopyup"}})
	dir := filepath.Join(rt.bundle(t, "up", s), "rootfs", "data")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "a"), []byte("text"), 0o644); err != nil {
		t.Fatal(err)
	}
	l := rt.create(t, "up", s)
	l.start()
	if status := l.wait(); status != 0 || l.output() != "text" {
		t.Errorf("status %d, output %q", status, l.output())
	}
	if err := l.Delete(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "b")); !os.IsNotExist(err) {
		t.Errorf("what was written to the tmpfs is in the root: %v", err)
	}
}

// Ten images that try to have something mounted on the host.
func TestRuntime_HostileLayouts_MountsStayInside(t *testing.T) {
	rt := newRuntime(t)
	secret := filepath.Join(rt.dir, "host.conf")
	if err := os.WriteFile(secret, []byte("from the host"), 0o644); err != nil {
		t.Fatal(err)
	}
	for i, tt := range []struct{ link, to, target string }{
		{"etc", "/", "/etc/resolv.conf"},
		{"etc", "../..", "/etc/resolv.conf"},
		{"etc", "/etc", "/etc/hosts"},
		{"dev", "/", ""},
		{"dev", "../../..", ""},
		{"proc", "/", "/proc"},
		{"proc", "/proc", "/proc/x"},
		{"data", "/var/run", "/data/deep/er"},
		{"data", "../../../../../../tmp", "/data"},
		{"rescue", "/rescue", ""},
	} {
		t.Run(fmt.Sprintf("%d %s is %s", i, tt.link, tt.to), func(t *testing.T) {
			id := fmt.Sprintf("bad%d", i)
			s := spec("/rescue/sh", "-c", "true")
			if tt.target != "" {
				m := specs.Mount{Type: "tmpfs", Source: "tmpfs", Destination: tt.target}
				if strings.HasPrefix(tt.target, "/etc/") {
					m = specs.Mount{Type: "nullfs", Source: secret, Destination: tt.target}
				}
				s.Mounts = append(s.Mounts, m)
			}
			dir := rt.bundle(t, id, s)
			if err := os.Symlink(tt.to, filepath.Join(dir, "rootfs", tt.link)); err != nil {
				t.Fatal(err)
			}
			before, err := kernel.Mounts()
			if err != nil {
				t.Fatal(err)
			}
			l, err := rt.tryCreate(t, id, s)
			if err != nil {
				// The image has hidden its own program: that is its own affair.
				t.Logf("refused: %v", err)
			} else {
				l.end()
			}
			after, err := kernel.Mounts()
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range after {
				if !slices.ContainsFunc(before, func(b kernel.MountInfo) bool { return b.ID == m.ID }) && !within(m.On, rt.dir) {
					t.Errorf("%s was mounted on %s", m.Type, m.On)
				}
			}
		})
	}
}

func TestRuntime_Devices_OnlyTheNamedOneInThatContainerAlone(t *testing.T) {
	rt := newRuntime(t)
	mode := os.FileMode(0o600)
	with := spec("sleep", "100")
	with.FreeBSD = &specs.FreeBSD{Devices: []specs.FreeBSDDevice{{Path: "mem", Mode: &mode}}}
	a, b := rt.create(t, "with", with), rt.create(t, "without", spec("sleep", "100"))
	a.start()
	b.start()
	// What ruleset 4 shows is there in both.
	ordinary := strings.Fields("fd pts ptmx null zero random urandom stdin stdout stderr crypto fuse zfs")
	special := func(l *life) []string {
		return slices.DeleteFunc(strings.Fields(l.sh("ls /dev")), func(name string) bool { return slices.Contains(ordinary, name) })
	}
	if got := special(a); !slices.Equal(got, []string{"mem"}) {
		t.Errorf("with mem: got %q", got)
	}
	if got := a.sh("ls -l /dev/mem"); !strings.HasPrefix(got, "crw-------") {
		t.Errorf("mode of mem: got %q", got)
	}
	if got := special(b); len(got) > 0 {
		t.Errorf("without: got %q", got)
	}
	fi, err := os.Stat("/dev/mem")
	if err != nil {
		t.Fatal(err)
	}
	if fi.Mode().Perm() == mode {
		t.Errorf("the host's mem has mode %v as well", fi.Mode())
	}
	bad := spec("sleep", "100")
	bad.FreeBSD = &specs.FreeBSD{Devices: []specs.FreeBSDDevice{{Path: "nosuchdevice"}}}
	if _, err := rt.tryCreate(t, "bad", bad); err == nil || !strings.Contains(err.Error(), "nosuchdevice") {
		t.Errorf("a device that isn't there: got error %v", err)
	}
}

func TestRuntime_UnknownRuleset_Refused(t *testing.T) {
	rt := newRuntime(t)
	s := spec("sleep", "100")
	s.Mounts[0].Options = []string{"ruleset=4321"}
	if _, err := rt.tryCreate(t, "x", s); !errdefs.IsFailedPrecondition(err) || !strings.Contains(err.Error(), "4321") {
		t.Errorf("got error %v, want one wrapping ErrFailedPrecondition that names the ruleset", err)
	}
}

func TestRuntime_InitEnds_EverythingElseIsKilled(t *testing.T) {
	rt := newRuntime(t)
	l := rt.create(t, "tree", spec("sh", "-c", "(trap '' TERM HUP; sleep 1000 & sleep 1000) & sleep 3; exit 3"))
	l.start()
	x, err := l.Exec(context.Background(), &driver.ExecConfig{ID: "x", Spec: &specs.Process{Args: []string{"/rescue/sleep", "1000"}, Cwd: "/"}})
	if err != nil {
		t.Fatal(err)
	}
	pids, err := l.Pids(context.Background())
	for end := time.Now().Add(2 * time.Second); err == nil && len(pids) < 4 && time.Now().Before(end); pids, err = l.Pids(context.Background()) {
		time.Sleep(10 * time.Millisecond) // they are being made
	}
	if err != nil || len(pids) < 4 || !slices.Contains(pids, x.Pid) {
		t.Errorf("processes %v, %v; want the init, its children and %d", pids, err, x.Pid)
	}
	if got := l.wait(); got != 3 {
		t.Errorf("status %d, want 3", got)
	}
	// The exec's end is for who started it.
	if got := waitFor(t, x.Pid); got != 128+9 {
		t.Errorf("status %d of the exec, want 137", got)
	}
	for _, pid := range pids {
		if p, err := kernel.ProcessByID(pid); err == nil && p.Jid != 0 {
			t.Errorf("process %d (%s) is left", pid, p.Comm)
		}
	}
}

func TestRuntime_KillAll_EachProcessOnce(t *testing.T) {
	rt := newRuntime(t)
	l := rt.create(t, "k", spec("sh", "-c", "trap 'exit 5' TERM; sh -c 'sleep 1000; true' & echo up; wait; wait"))
	l.start()
	time.Sleep(300 * time.Millisecond)
	if err := l.KillAll(context.Background(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if got := l.wait(); got != 5 {
		t.Errorf("status %d, want 5", got)
	}
	if err := l.KillAll(context.Background(), syscall.SIGKILL); err != nil {
		t.Errorf("with no process left: %v", err)
	}
}

func TestRuntime_PauseResume_StopsAndGoesOn(t *testing.T) {
	rt := newRuntime(t)
	l := rt.create(t, "p", spec("sh", "-c", "while :; do date +%s >> /count; sleep 0.05; done"))
	l.start()
	time.Sleep(200 * time.Millisecond)
	if err := l.Pause(context.Background()); err != nil {
		t.Fatal(err)
	}
	count := filepath.Join(rt.dir, "p", "rootfs", "count")
	size := func() int64 {
		fi, err := os.Stat(count)
		if err != nil {
			t.Fatal(err)
		}
		return fi.Size()
	}
	paused := size()
	time.Sleep(300 * time.Millisecond)
	if got := size(); got != paused {
		t.Errorf("it went on: %d bytes, then %d", paused, got)
	}
	if err := l.Resume(context.Background()); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); size() == paused; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it did not go on")
		}
	}
}

func TestRuntime_Stats_GrowAndOutliveTheInit(t *testing.T) {
	rt := newRuntime(t)
	l := rt.create(t, "s", spec("sh", "-c", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; echo done; exec sleep 1000"))
	usage := func() *driver.Usage {
		u, err := l.Stats(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		return u.(*driver.Usage)
	}
	if u := usage(); u.Pids != 1 {
		t.Errorf("created: %+v", u)
	}
	l.start()
	var u *driver.Usage
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if u = usage(); u.CPU > 5*time.Millisecond && u.Memory > 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("running: %+v", u)
		}
	}
	if err := syscall.Kill(l.Init().Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	l.wait()
	if after := usage(); after.CPU < u.CPU || after.Pids != 0 {
		t.Errorf("stopped: %+v, after %+v", after, u)
	}
}

func TestRuntime_Terminal_IsTheProcessesControllingOne(t *testing.T) {
	rt := newRuntime(t)
	s := spec("sh", "-c", "stty size; read x < /dev/tty; echo got $x")
	s.Process.Terminal = true
	s.Process.ConsoleSize = &specs.Box{Height: 40, Width: 132}
	k, err := rt.Create(context.Background(), &driver.CreateConfig{ID: "tty", Bundle: rt.bundle(t, "tty", s), Terminal: true})
	if err != nil {
		t.Fatal(err)
	}
	console := k.Init().Console
	defer console.Close()
	if err := k.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	buf := make([]byte, 1024)
	if err := console.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	answered := false
	for {
		n, err := console.Read(buf)
		out.Write(buf[:n])
		if !answered && strings.Contains(out.String(), "40 132") {
			answered = true
			if _, err := console.WriteString("hello\n"); err != nil {
				t.Fatal(err)
			}
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("no end; so far %q", out.String())
		}
		if err != nil {
			break
		}
	}
	if got := waitFor(t, k.Init().Pid); got != 0 {
		t.Errorf("status %d", got)
	}
	if got := strings.ReplaceAll(out.String(), "\r", ""); got != "40 132\nhello\ngot hello\n" {
		t.Errorf("output %q", got)
	}
	if err := k.Delete(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// The first stage waits for its start; if whoever is to give it dies, so does it.
func TestRuntime_MakerDies_InitEnds(t *testing.T) {
	rt := newRuntime(t)
	l := rt.create(t, "left", spec("sleep", "100"))
	k := l.Container.(*Container)
	if err := k.closeStage(); err != nil {
		t.Fatal(err)
	}
	if got := l.wait(); got == 0 {
		t.Errorf("status %d of an init that was never started", got)
	}
}

// Another process starts what this one made, as the OCI command does.
func TestRuntime_Detached_StartedByAnother(t *testing.T) {
	rt := newRuntime(t)
	dir := rt.bundle(t, "d", spec("sh", "-c", "exit 4"))
	k, err := rt.CreateDetached(context.Background(), &driver.CreateConfig{ID: "d", Bundle: dir}, Detached{})
	if err != nil {
		t.Fatal(err)
	}
	other := New(rt.config)
	loaded, err := other.Load("d")
	if err != nil {
		t.Fatal(err)
	}
	if got := loaded.Status(); got != specs.StateCreated {
		t.Errorf("status %s, want created", got)
	}
	if err := loaded.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := waitFor(t, k.Init().Pid); got != 4 {
		t.Errorf("exit status %d, want 4", got)
	}
	if got := loaded.Status(); got != specs.StateStopped {
		t.Errorf("status %s, want stopped", got)
	}
	if err := loaded.Delete(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Load("d"); !errdefs.IsNotFound(err) {
		t.Errorf("after its deletion: %v", err)
	}
}

// livesEnv is how many containers live one after the other, in place of 50.
const livesEnv = "E2E_LIVES"

// Nothing of a container is left in the kernel, nor in the process that ran it.
func TestRuntime_ManyLives_NothingGrows(t *testing.T) {
	rt := newRuntime(t)
	lives := 50
	if text := os.Getenv(livesEnv); text != "" {
		var err error
		if lives, err = strconv.Atoi(text); err != nil {
			t.Fatalf("%s: %v", livesEnv, err)
		}
	}
	one := func(i int) {
		s := spec("sh", "-c", "echo up; exit 3")
		s.Root.Readonly = i%2 == 0
		s.Mounts = append(s.Mounts, specs.Mount{Type: "tmpfs", Source: "tmpfs", Destination: "/tmp"})
		l := rt.create(t, "life", s)
		l.start()
		if got := l.wait(); got != 3 {
			t.Errorf("life %d: status %d", i, got)
		}
		if err := l.Delete(context.Background()); err != nil {
			t.Fatalf("life %d: %v", i, err)
		}
		if got := l.output(); got != "up\n" {
			t.Errorf("life %d: output %q", i, got)
		}
		l.out.Close()
	}
	for i := range 4 { // what is made once is made
		one(i)
	}
	before := resources(t)
	for i := range lives {
		one(i)
	}
	if after := resources(t); after.files > before.files || after.goroutines > before.goroutines {
		t.Errorf("before %+v, after %d lives %+v", before, lives, after)
	}
	rt.expectClean(t)
}

type usedResources struct{ files, goroutines int }

func resources(t *testing.T) usedResources {
	t.Helper()
	files := 0
	for fd := range 4096 {
		var st syscall.Stat_t
		if syscall.Fstat(fd, &st) == nil {
			files++
		}
	}
	return usedResources{files, runtime.NumGoroutine()}
}

// A process that closed connections leaves them to the kernel, which keeps the
// network stack, and with it the jail, for up to a minute. A container is gone
// nevertheless.
func TestRuntime_OwnNetworkWithOldConnections_DeletedWithinASecond(t *testing.T) {
	rt := newRuntime(t)
	s := spec("sh", "-c", "nc -l 127.0.0.1 77 >/dev/null & sleep 0.5; echo x | nc -N 127.0.0.1 77; echo sent; sleep 100 | nc -l 127.0.0.1 78 & sleep 0.5; sleep 100 | nc 127.0.0.1 78 & sleep 0.5; exit 3")
	s.Linux = &specs.Linux{Namespaces: []specs.LinuxNamespace{{Type: specs.NetworkNamespace}, {Type: specs.UTSNamespace}}}
	l := rt.create(t, "tcp", s)
	l.start()
	if got := l.wait(); got != 3 || l.output() != "sent\n" {
		t.Fatalf("status %d, output %q", got, l.output())
	}
	began := time.Now()
	if err := l.Delete(context.Background()); err != nil {
		t.Fatal(err)
	}
	took := time.Since(began)
	t.Logf("deleted after %v", took)
	if took > 1500*time.Millisecond {
		t.Errorf("deleted after %v, want about a second at most", took)
	}
	// The same id can be used at once.
	again := rt.create(t, "tcp", spec("sh", "-c", "exit 4"))
	again.start()
	if got := again.wait(); got != 4 {
		t.Errorf("again: status %d", got)
	}
	if err := again.Delete(context.Background()); err != nil {
		t.Fatal(err)
	}
	// What still dies holds nothing of ours.
	mounts, err := kernel.Mounts()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mounts {
		if within(m.On, rt.dir) {
			t.Errorf("still mounted: %s", m.On)
		}
	}
	awaitNoJails(t, rt.dir)
}

// awaitNoJails waits for dying jails, which the test that follows would find.
func awaitNoJails(t *testing.T, dir string) {
	t.Helper()
	for end := time.Now().Add(4 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		all, err := kernel.Jails(true)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(all, func(j kernel.JailInfo) bool { return within(j.Path, dir) }) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("dying jails do not go: %+v", all)
		}
	}
}
