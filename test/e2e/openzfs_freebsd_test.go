package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/core/mount"
	"github.com/containerd/containerd/v2/pkg/cio"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/containerd/v2/pkg/oci"
	"github.com/opencontainers/image-spec/identity"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"jailshim/snapshotter-zfs/zfstest"
	"jailshim/test/daemon"
	"jailshim/test/e2e/testbed"
)

const openzfs = "openzfs"

// openZFS is our snapshotter, as a process with a pool of its own.
type openZFS struct {
	pool  *zfstest.Pool
	args  []string
	dir   string
	admin string
	cmd   *exec.Cmd
	log   bytes.Buffer
}

// startOpenZFS starts a snapshotter, and a containerd that has it as a plugin.
func startOpenZFS(t *testing.T, opts ...testbed.Option) (*openZFS, *testbed.Space) {
	t.Helper()
	testbed.Require(t, testbed.Root)
	o := &openZFS{pool: zfstest.NewPool(t, 3<<30)}
	dataset := o.pool.Create(t, "containers")
	zfsCommand(t, "set", "io.jailshim:root=1", dataset)
	// Not in containerd's folder: what it has mounted there is its business.
	dir, err := os.MkdirTemp("", "oz")
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "plugin.sock")
	o.dir, o.admin = dir, filepath.Join(dir, "admin.sock")
	o.args = []string{"-config", os.DevNull, "-dataset", dataset, "-state", filepath.Join(dir, "state"), "-socket", socket,
		"-admin", o.admin, "-cache-size", "0"}
	plugin := func(d *testbed.Daemon) {
		d.Extra += fmt.Sprintf(`[proxy_plugins.%[1]s]
type = "snapshot"
address = %[2]q
[proxy_plugins.%[1]s.exports]
root = %[3]q

[[plugins.'io.containerd.transfer.v1.local'.unpack_config]]
platform = "freebsd/%[4]s"
snapshotter = %[1]q
differ = "walking"
`, openzfs, socket, dir, runtime.GOARCH)
	}
	d := testbed.NewDaemon(t, append([]testbed.Option{plugin}, opts...)...)
	path, err := d.Program("containerd-openzfs-grpc")
	if err != nil {
		t.Fatal(err)
	}
	o.args = append([]string{path}, o.args...)
	o.start(t)
	t.Cleanup(func() { o.close(t) })
	// Fifty containers take longer than a space usually lives.
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute)
	t.Cleanup(cancel)
	s := d.NewSpace(t)
	s.Ctx = namespaces.WithNamespace(ctx, s.Namespace)
	return o, s
}

// start starts the snapshotter, and waits until it answers.
func (o *openZFS) start(t *testing.T) {
	t.Helper()
	o.cmd = exec.Command(o.args[0], o.args[1:]...)
	o.cmd.Stdout, o.cmd.Stderr = &o.log, &o.log
	if err := o.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	testbed.Until(t, "the snapshotter's socket", func() error {
		c, err := net.Dial("unix", o.admin)
		if err != nil {
			return err
		}
		return c.Close()
	})
}

// end sends the snapshotter a signal and waits until it has gone.
func (o *openZFS) end(t *testing.T, signal os.Signal) {
	t.Helper()
	if err := o.cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	_ = o.cmd.Wait() // how it ends is the signal's business
	o.cmd = nil
}

func (o *openZFS) close(t *testing.T) {
	t.Helper()
	if o.cmd != nil {
		o.end(t, unix.SIGTERM)
	}
	if t.Failed() {
		t.Logf("the snapshotter's log:\n%s", &o.log)
	}
	// The private mounts go with the pool; the folders are empty then.
	zfsUnmountBelow(t, o.dir)
	if err := os.RemoveAll(o.dir); err != nil {
		t.Error(err)
	}
}

// zfsUnmountBelow unmounts all below a folder.
func zfsUnmountBelow(t *testing.T, dir string) {
	t.Helper()
	all, err := daemon.MountsBelow(dir)
	if err != nil {
		t.Error(err)
	}
	for i := len(all) - 1; i >= 0; i-- {
		if err := mount.Unmount(all[i], 0); err != nil {
			t.Error(err)
		}
	}
}

// command runs a command of the snapshotter's.
func (o *openZFS) command(args ...string) ([]byte, error) {
	cmd := exec.Command(o.args[0], append(o.args[1:len(o.args):len(o.args)], args...)...)
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("%s: %w: %s%s", strings.Join(args, " "), err, out, exit.Stderr)
	}
	return out, err
}

// openZFSStatus is a part of what "status" prints.
type openZFSStatus struct {
	Ready                                       bool
	Active, Views, Committed, Volumes, LeftOver int
}

func (o *openZFS) status() (st openZFSStatus, err error) {
	out, err := o.command("status")
	if err != nil {
		return st, err
	}
	return st, json.Unmarshal(out, &st)
}

func zfsCommand(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("zfs", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("zfs %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// run runs a container of the space's image on the snapshotter, through the client.
func (o *openZFS) run(s *testbed.Space, id string) (*testbed.Container, error) {
	container, err := s.Client.NewContainer(s.Ctx, id,
		containerd.WithSnapshotter(openzfs), containerd.WithImage(s.Image), containerd.WithNewSnapshot(id, s.Image),
		containerd.WithRuntime(testbed.Runtime, nil),
		containerd.WithNewSpec(oci.WithHostNamespace(specs.NetworkNamespace), oci.WithImageConfig(s.Image), oci.WithProcessArgs("hold"),
			oci.WithEnv([]string{"JAILSHIM_E2E=" + s.Dir})))
	if err != nil {
		return nil, err
	}
	task, err := container.NewTask(s.Ctx, cio.NullIO)
	if err != nil {
		return nil, err
	}
	return s.Adopt(container, task), task.Start(s.Ctx)
}

// exec runs a program in a container with ctr.
func ctrExec(t *testing.T, s *testbed.Space, id, name string, args ...string) string {
	t.Helper()
	return run(t, s.Command(t, "ctr", append([]string{"task", "exec", "--exec-id", name, id}, args...)...))
}

// TestE2E_OpenZFS_Life: an image comes in, fifty containers run on clones of it at once,
// everything is restarted under them, what they run on is looked at and committed, and
// in the end nothing is left.
func TestE2E_OpenZFS_Life(t *testing.T) {
	o, s := startOpenZFS(t)
	ctr := func(args ...string) string {
		t.Helper()
		return run(t, s.Command(t, "ctr", args...))
	}
	archive := filepath.Join(s.Dir, "image.tar")
	// Without --local, what it writes may lack its end.
	ctr("image", "export", "--local", archive, testbed.ImageName)
	ctr("image", "import", "--snapshotter", openzfs, archive)
	if st, err := o.status(); err != nil || st.Committed != 1 || st.Volumes != 1 {
		t.Errorf("after the import: %+v, %v", st, err)
	}
	out := run(t, ctrRun(t, s, "--snapshotter", openzfs, "--rm", testbed.ImageName, "first", "echo", "hello"))
	if out != "hello\n" {
		t.Errorf("printed %q", out)
	}

	many := numberOfLives(t, 50)
	name := func(i int) string { return fmt.Sprintf("z%d", i) }
	begin := time.Now()
	var group sync.WaitGroup
	errs := make([]error, many)
	for i := range many {
		group.Go(func() { _, errs[i] = o.run(s, name(i)) })
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d containers run after %v", many, time.Since(begin))
	ctrExec(t, s, name(0), "x", "write", "/mine", "written")

	// Of containers that end while containerd is being started, it tells itself too.
	s.AnyEvents = true
	outage(t, s, func() {
		o.end(t, unix.SIGKILL)
		o.start(t)
	})
	if st, err := o.status(); err != nil || !st.Ready || st.Active != many || st.LeftOver != 0 {
		t.Errorf("after the restart: %+v, %v", st, err)
	}
	for _, i := range []int{0, 1, many - 1} {
		if got := ctrExec(t, s, name(i), "y", "echo", "alive"); got != "alive\n" {
			t.Errorf("%s: printed %q", name(i), got)
		}
	}
	if out := run(t, ctrRun(t, s, "--snapshotter", openzfs, "--rm", testbed.ImageName, "later", "echo", "again")); out != "again\n" {
		t.Errorf("printed %q", out)
	}

	t.Run("Mounts", func(t *testing.T) { openZFSMounts(t, s, name(0)) })
	t.Run("Commit", func(t *testing.T) { openZFSCommit(t, s, name(0)) })

	s.RemoveAll(t)
	list, err := s.Client.ImageService().List(s.Ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range list {
		if err := s.Client.ImageService().Delete(s.Ctx, i.Name, images.SynchronousDelete()); err != nil {
			t.Error(err)
		}
	}
	testbed.Until(t, "everything to be collected", func() error {
		st, err := o.status()
		if err == nil && st.Active+st.Views+st.Committed+st.Volumes+st.LeftOver != 0 {
			err = fmt.Errorf("there is %+v", st)
		}
		return err
	})
	if out, err := o.command("fsck", "-n"); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	if left := strings.Fields(zfsCommand(t, "list", "-H", "-r", "-t", "all", "-o", "name", o.pool.Name+"/containers")); len(left) != 3 {
		t.Errorf("datasets %q are left, want the root and its two folders", left)
	}
}

// openZFSMounts has a running container's file system mounted a second time, and two
// views of its image at once.
func openZFSMounts(t *testing.T, s *testbed.Space, id string) {
	t.Helper()
	sn := s.Client.SnapshotService(openzfs)
	// Nothing else keeps containerd's garbage collector from taking the views.
	ctx, done, err := s.Client.WithLease(s.Ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := done(s.Ctx); err != nil {
			t.Error(err)
		}
	})
	dir := t.TempDir()
	mounted := func(name string, m []mount.Mount, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		target := filepath.Join(dir, name)
		if err := os.Mkdir(target, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := mount.All(m, target); err != nil {
			t.Fatalf("%v: %v", m, err)
		}
		t.Cleanup(func() {
			if err := mount.UnmountAll(target, 0); err != nil {
				t.Error(err)
			}
		})
		return target
	}
	m, err := sn.Mounts(s.Ctx, id)
	if b, err := os.ReadFile(filepath.Join(mounted("container", m, err), "mine")); string(b) != "written\n" {
		t.Errorf("the container's file is %q, %v", b, err)
	}
	diffs, err := s.Image.RootFS(s.Ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, view := range []string{"view1", "view2"} {
		m, err := sn.View(ctx, view, identity.ChainID(diffs).String())
		target := mounted(view, m, err)
		if _, err := os.Stat(filepath.Join(target, "bin")); err != nil {
			t.Error(err)
		}
		if err := os.WriteFile(filepath.Join(target, "new"), nil, 0o600); !errors.Is(err, unix.EROFS) {
			t.Errorf("write to a view: %v, want EROFS", err)
		}
		t.Cleanup(func() {
			if err := sn.Remove(s.Ctx, view); err != nil {
				t.Error(err)
			}
		})
	}
}

// openZFSCommit makes an image of a running container, and runs it.
func openZFSCommit(t *testing.T, s *testbed.Space, id string) {
	t.Helper()
	const image = "example.test/committed:1"
	run(t, nerdctl(t, s, "--snapshotter", openzfs, "commit", id, image))
	if out := run(t, ctrRun(t, s, "--snapshotter", openzfs, "--rm", image, "committed", "cat", "/mine")); out != "written\n" {
		t.Errorf("the committed image has %q", out)
	}
}
