package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	snapshotsapi "github.com/containerd/containerd/api/services/snapshots/v1"
	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/containerd/v2/core/snapshots/proxy"
	"github.com/containerd/errdefs"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	zfs "jailshim/snapshotter-zfs"
	"jailshim/snapshotter-zfs/zfstest"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == daemonArg {
		os.Exit(daemonMain())
	}
	os.Exit(zfstest.Main(m))
}

// machine is where a daemon runs: a pool and a folder.
type machine struct {
	pool *zfstest.Pool
	root string
	args []string
	dir  string
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	p := zfstest.NewPool(t, zfstest.PoolSize)
	// Paths of sockets must be short.
	dir, err := os.MkdirTemp("", "oz")
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	m := &machine{pool: p, root: p.Temporary(t), dir: dir}
	m.args = []string{"-config", file(t, ""), "-dataset", m.root, "-state", filepath.Join(dir, "state"), "-log-level", "error",
		"-socket", m.path("plugin"), "-admin", m.path("admin"), "-metrics", m.path("metrics")}
	if _, err := os.Stat("/dev/zfs"); os.IsNotExist(err) {
		m.args = append(m.args, "-engine", EngineCommand) // zfs-fuse
	}
	return m
}

func (m *machine) path(name string) string { return filepath.Join(m.dir, name) }

func (m *machine) mark(t *testing.T) {
	t.Helper()
	mustRun(t, "zfs", "set", zfs.MarkRoot+"="+zfs.MarkValue, m.root)
}

func mustRun(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%q: %v: %s", args, err, out)
	}
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// run runs the command, and returns its exit status and what it printed.
func (m *machine) run(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	p := &Program{Stdout: &out, Stderr: &errs}
	status = p.Run(t.Context(), append(append([]string(nil), m.args...), args...))
	return status, out.String(), errs.String()
}

// serve runs a daemon until stop is called.
func (m *machine) serve(t *testing.T) (s snapshots.Snapshotter, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var said bytes.Buffer
	ended := make(chan int, 1)
	// goroutine: the daemon's; ends when ctx does; waited for by stop.
	go func() { ended <- (&Program{Stdout: io.Discard, Stderr: &said}).Run(ctx, m.args) }()
	conn, err := grpc.NewClient("unix://"+m.path("plugin"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(t, err)
	stopped := false
	stop = func() {
		t.Helper()
		if stopped {
			return
		}
		stopped = true
		must(t, conn.Close())
		cancel()
		if status := <-ended; status != 0 {
			t.Errorf("the daemon's exit status is %d: %s", status, &said)
		}
	}
	t.Cleanup(stop)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		if c, err := net.Dial("unix", m.path("metrics")); err == nil { // the last one
			must(t, c.Close())
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the daemon does not listen")
		}
	}
	return proxy.NewSnapshotter(snapshotsapi.NewSnapshotsClient(conn), "openzfs"), stop
}

// TestDaemon lives a life through its sockets: containerd's requests, the operator's
// commands, Prometheus, an end, and a new beginning.
func TestDaemon(t *testing.T) {
	m := newMachine(t)
	m.mark(t)
	s, stop := m.serve(t)
	ctx := t.Context()

	mounts, err := s.Prepare(ctx, "a", "")
	if err != nil || len(mounts) != 1 || mounts[0].Type != "zfs" || !strings.HasPrefix(mounts[0].Source, m.root+"/c/") {
		t.Fatalf("%v, %v", mounts, err)
	}
	zfstest.Fill(t, mounts[0].Source, 1<<20)
	must(t, s.Commit(ctx, "base", "a"))
	if _, err := s.Prepare(ctx, "b", "base", snapshots.WithLabels(map[string]string{snapshots.LabelSnapshotMaxSize: "33554432"})); err != nil {
		t.Fatal(err)
	}
	if u, err := s.Usage(ctx, "base"); err != nil || u.Size < 1<<20 || u.Size > 2<<20 {
		t.Errorf("usage %+v, %v", u, err)
	}
	// Classes of errors survive the way.
	if _, err := s.Prepare(ctx, "b", "base"); !errdefs.IsAlreadyExists(err) {
		t.Errorf("twice: %v, want AlreadyExists", err)
	}
	if _, err := s.Stat(ctx, "none"); !errdefs.IsNotFound(err) {
		t.Errorf("missing: %v, want NotFound", err)
	}
	if err := s.Remove(ctx, "base"); !errdefs.IsFailedPrecondition(err) {
		t.Errorf("a parent: %v, want FailedPrecondition", err)
	}

	m.wantCommands(t)
	m.wantMetrics(t)
	stop()
	m.wantCommands(t) // without a daemon

	s, _ = m.serve(t)
	if info, err := s.Stat(ctx, "b"); err != nil || info.Parent != "base" {
		t.Errorf("after a restart: %+v, %v", info, err)
	}
	must(t, s.Remove(ctx, "b"))
	must(t, s.Remove(ctx, "base"))
	must(t, s.(snapshots.Cleaner).Cleanup(ctx))
	if status, out, _ := m.run(t, "status"); status != 0 || !strings.Contains(out, `"volumes": 0`) {
		t.Errorf("status %d after all was removed: %s", status, out)
	}
}

// wantCommands runs each command on a machine with "base" and "b".
func (m *machine) wantCommands(t *testing.T) {
	t.Helper()
	var st zfs.Status
	status, out, errs := m.run(t, "status")
	must(t, json.Unmarshal([]byte(out), &st))
	if status != 0 || errs != "" || !st.Ready || st.Active != 1 || st.Committed != 1 || st.Dataset != m.root {
		t.Errorf("status: %d, %s, %s", status, out, errs)
	}
	if status, out, errs := m.run(t, "du"); status != 0 || strings.Count(out, "\n") != 3 || !strings.Contains(out, "committed") {
		t.Errorf("du: %d, %s, %s", status, out, errs)
	}
	for _, args := range [][]string{{"fsck"}, {"fsck", "-n"}} {
		if status, out, errs := m.run(t, args...); status != 0 || !strings.Contains(out, `"leftOver": null`) {
			t.Errorf("%q: %d, %s, %s", args, status, out, errs)
		}
	}
	if status, out, errs := m.run(t, "-check"); status != 0 || !strings.Contains(out, "is ready") {
		t.Errorf("-check: %d, %s, %s", status, out, errs)
	}
	for _, c := range []struct {
		args []string
		want int
		text string
	}{
		{[]string{"dance"}, 2, `unknown command "dance"`},
		{[]string{"import", "x"}, 2, "usage: import"},
		{[]string{"import", m.pool.Name + "/none@1", "i"}, 1, m.pool.Name + "/none@1"},
		{[]string{"import", m.root + "/c@1", "i"}, 1, "the snapshotter's own"},
	} {
		if status, _, errs := m.run(t, c.args...); status != c.want || !strings.Contains(errs, c.text) {
			t.Errorf("%q: %d, %q; want %d and %q", c.args, status, errs, c.want, c.text)
		}
	}
}

func (m *machine) wantMetrics(t *testing.T) {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", m.path("metrics"))
	}}}
	resp, err := client.Get("http://daemon/metrics")
	must(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	must(t, err)
	for _, want := range []string{
		"openzfs_ready 1\n", "openzfs_committed_snapshots 1\n", "openzfs_active_snapshots 1\n",
		`openzfs_request_seconds_count{code="OK",method="Commit"} 1`, `openzfs_request_seconds_count{code="AlreadyExists",method="Prepare"} 1`,
		`openzfs_zfs_seconds_count{call="snapshot",result="ok"} 1`,
	} {
		if !strings.Contains(string(b), want) {
			t.Errorf("metrics lack %q", want)
		}
	}
	client.CloseIdleConnections()
}

func TestDaemon_DatasetWithoutMark_IsRefusedWithTheCommand(t *testing.T) {
	m := newMachine(t)
	for _, args := range [][]string{nil, {"-check"}, {"status"}, {"fsck"}} {
		if status, _, errs := m.run(t, args...); status != 1 || !strings.Contains(errs, "zfs create -o mountpoint=none") {
			t.Errorf("%q: %d, %s", args, status, errs)
		}
	}
	if _, err := os.Stat(m.path("plugin")); !os.IsNotExist(err) {
		t.Errorf("there is a socket: %v", err)
	}
}

func TestDaemon_PoolIsMissing_IsUnavailable(t *testing.T) {
	m := newMachine(t)
	m.args = append(m.args, "-dataset", "nosuchpool/a")
	if status, out, errs := m.run(t, "status"); status != 1 || !strings.Contains(out, "nosuchpool") {
		t.Errorf("status: %d, %s, %s", status, out, errs)
	}
	if status, _, errs := m.run(t, "-check"); status != 1 || !strings.Contains(errs, "nosuchpool") {
		t.Errorf("-check: %d, %s", status, errs)
	}
	s, _ := m.serve(t)
	if _, err := s.Prepare(t.Context(), "a", ""); !errdefs.IsUnavailable(err) {
		t.Errorf("prepare: %v, want Unavailable", err)
	}
}

func TestListen_SomethingElseIsThere_IsRefused(t *testing.T) {
	path := file(t, "precious")
	if l, err := listenUnix(path); err == nil {
		t.Errorf("%v", l)
	}
	if b, err := os.ReadFile(path); string(b) != "precious" {
		t.Errorf("%q, %v", b, err)
	}
}
