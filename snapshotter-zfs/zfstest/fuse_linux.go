package zfstest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// namespaceVar tells the test program that it has its namespace.
const namespaceVar = "ZFSTEST_NAMESPACE"

// noNamespace is why it has none.
var noNamespace error

const (
	inNamespace = "1"
	socketPath  = "/run/zfs/zfs_socket"
)

// fuse is the zfs-fuse of this process.
var fuse struct {
	mu    sync.Mutex // guards the fields below
	pid   int        // 0: not running
	ended chan struct{}
	said  *bytes.Buffer // what it printed; read once it has ended
	pools []string      // those to be there after a restart
}

// Main runs the tests of a package, in a mount namespace of its own, and returns the
// exit status.
func Main(m *testing.M) int {
	if os.Getenv(namespaceVar) == "" && needs() == "" {
		if err := enter(); err != nil {
			noNamespace = err
		}
	}
	status := m.Run()
	fuse.mu.Lock()
	defer fuse.mu.Unlock()
	if fuse.pid != 0 {
		killLocked()
	}
	return status
}

// CanKill reports whether [Kill] can be used.
func CanKill() bool { return true }

// Kill kills zfs-fuse with SIGKILL, and takes away the mounts that have died with it.
// Other tests of the process must not run meanwhile.
func Kill(tb testing.TB) {
	tb.Helper()
	fuse.mu.Lock()
	defer fuse.mu.Unlock()
	if fuse.pid == 0 {
		tb.Fatal("zfs-fuse does not run")
	}
	killLocked()
	if err := unmountDead(); err != nil {
		tb.Fatal(err)
	}
}

// Restart starts zfs-fuse again, if it does not run, and waits until all pools are
// there. Nothing is mounted then.
func Restart(tb testing.TB) {
	tb.Helper()
	prepare(tb)
	fuse.mu.Lock()
	names := slices.Clone(fuse.pools)
	fuse.mu.Unlock()
	for _, name := range names {
		eventually(tb, "pool "+name+" is back", func() bool {
			_, err := run("zfs", "list", "-H", "-o", "name", name)
			return err == nil
		})
	}
}

// Mount mounts a file system on an empty directory. Its mountpoint is inherited again
// after unmount.
func Mount(tb testing.TB, dataset, dir string) (unmount func()) {
	tb.Helper()
	mustRun(tb, "zfs", "set", "mountpoint="+dir, dataset)
	// That has mounted it, unless its mountpoint was such a path before.
	if mounted := mustRun(tb, "zfs", "get", "-H", "-o", "value", "mounted", dataset); strings.TrimSpace(mounted) != "yes" {
		mustRun(tb, "zfs", "mount", dataset)
	}
	tb.Cleanup(func() {
		// EINVAL: not mounted, as it should be by now.
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) {
			tb.Errorf("unmount %s: %v", dir, err)
		}
	})
	return func() {
		tb.Helper()
		mustRun(tb, "zfs", "unmount", dataset)
		mustRun(tb, "zfs", "inherit", "mountpoint", dataset)
	}
}

// needs tells what the machine lacks, and how to get it; or nothing.
func needs() string {
	if os.Geteuid() != 0 {
		return "this test needs root: run the tests as root"
	}
	if _, err := os.Stat("/dev/fuse"); err != nil {
		return "this test needs /dev/fuse: modprobe fuse"
	}
	if _, err := exec.LookPath("zfs-fuse"); err != nil {
		return "this test needs zfs-fuse: apt-get install zfs-fuse"
	}
	return ""
}

func missing() string {
	if text := needs(); text != "" {
		return text
	}
	switch {
	case os.Getenv(namespaceVar) == inNamespace:
		return ""
	case noNamespace != nil:
		return "this test needs a mount namespace, which root may make outside of containers that forbid it: " + noNamespace.Error()
	}
	panic("the package's TestMain does not call zfstest.Main")
}

// enter replaces the process by a copy in a new mount namespace. It returns only if
// that fails.
func enter() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	// The namespace is the thread's until the copy is the whole process.
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("unshare: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make all mounts private: %w", err)
	}
	for _, dir := range []string{"/run", "/var/lib/zfs"} {
		if err := unix.Mount("zfstest", dir, "tmpfs", 0, ""); err != nil {
			return fmt.Errorf("mount tmpfs on %s: %w", dir, err)
		}
	}
	for _, dir := range []string{"/run/zfs", "/run/lock/zfs"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	return syscall.Exec(self, os.Args, append(os.Environ(), namespaceVar+"="+inNamespace))
}

// prepare starts zfs-fuse unless it runs.
func prepare(tb testing.TB) {
	tb.Helper()
	fuse.mu.Lock()
	defer fuse.mu.Unlock()
	if fuse.pid != 0 {
		return
	}
	if err := os.Remove(socketPath); err != nil && !os.IsNotExist(err) {
		tb.Fatal(err)
	}
	if err := startLocked(); err != nil {
		tb.Fatal(err)
	}
	ended := fuse.ended
	eventually(tb, "zfs-fuse answers", func() bool {
		select {
		case <-ended:
			fuse.pid = 0
			tb.Fatalf("zfs-fuse has ended: %s", fuse.said)
		default:
		}
		_, err := run("zpool", "list", "-H")
		return err == nil
	})
}

func startLocked() error {
	cmd := exec.Command("zfs-fuse", "--no-daemon", "--no-kstat-mount", "--enable-xattr", "-m", "512")
	said := &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = said, said
	// It does not outlive the tests, however they end.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	started, ended := make(chan error), make(chan struct{})
	// goroutine: zfs-fuse's; ends when that does; waited for by killLocked. It keeps
	// the thread, whose end would be taken for the parent's.
	go func() {
		defer close(ended)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			err = cmd.Wait()
			fmt.Fprintln(said, err)
		}
	}()
	if err := <-started; err != nil {
		return err
	}
	fuse.pid, fuse.ended, fuse.said = cmd.Process.Pid, ended, said
	return nil
}

func killLocked() {
	// It may have ended by itself, and is not reaped before ended is closed.
	select {
	case <-fuse.ended:
	default:
		unix.Kill(fuse.pid, unix.SIGKILL) //nolint:errcheck // ended tells
		<-fuse.ended
	}
	fuse.pid = 0
}

// unmountDead takes away the mounts of a zfs-fuse that has ended.
func unmountDead() error {
	f, err := os.Open("/proc/self/mounts")
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) > 2 && fields[2] == "fuse.zfs" {
			if err := unix.Unmount(unescape(fields[1]), unix.MNT_DETACH); err != nil {
				return fmt.Errorf("unmount %s: %w", fields[1], err)
			}
		}
	}
	return lines.Err()
}

// unescape undoes the escapes of /proc/self/mounts.
func unescape(path string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(path)
}

// revive makes a zfs-fuse that a test has killed destroy the test's pool.
func revive(tb testing.TB) {
	tb.Helper()
	Restart(tb)
}

func made(pool string) {
	fuse.mu.Lock()
	defer fuse.mu.Unlock()
	fuse.pools = append(fuse.pools, pool)
}

func gone(pool string) {
	fuse.mu.Lock()
	defer fuse.mu.Unlock()
	fuse.pools = slices.DeleteFunc(fuse.pools, func(p string) bool { return p == pool })
}

// eventually waits until something holds.
func eventually(tb testing.TB, what string, holds func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatalf("gave up waiting until %s", what)
		}
	}
}
