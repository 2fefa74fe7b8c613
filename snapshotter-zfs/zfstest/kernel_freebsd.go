package zfstest

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"jailshim/jailctl/kernel"
)

// Main runs the tests of a package and returns the exit status.
func Main(m *testing.M) int { return m.Run() }

// CanKill reports whether [Kill] can be used: the kernel cannot be killed.
func CanKill() bool { return false }

// Kill fails the test.
func Kill(tb testing.TB) {
	tb.Helper()
	tb.Fatal("the kernel cannot be killed; ask CanKill before")
}

// Restart does nothing.
func Restart(testing.TB) {}

// Mount mounts a file system, or a snapshot, on a directory.
func Mount(tb testing.TB, dataset, dir string) (unmount func()) {
	tb.Helper()
	if err := kernel.Mount("zfs", dir, []kernel.MountOption{{Name: "from", Value: dataset, HasValue: true}}, 0); err != nil {
		tb.Fatal(err)
	}
	mounted := true
	unmount = func() {
		tb.Helper()
		if !mounted {
			return
		}
		mounted = false
		if err := kernel.Unmount(dir, false); err != nil {
			tb.Error(err)
		}
	}
	tb.Cleanup(unmount)
	return unmount
}

// TXG returns the last transaction group of a pool that is on disk.
func TXG(tb testing.TB, pool string) uint64 {
	tb.Helper()
	text, err := unix.Sysctl("kstat.zfs." + pool + ".txgs")
	if err != nil {
		tb.Fatal(err)
	}
	last := uint64(0)
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 3 || fields[2] != "C" { // committed
			continue
		}
		n, err := strconv.ParseUint(fields[0], 10, 64)
		if err != nil {
			tb.Fatalf("txgs of %s: %q: %v", pool, line, err)
		}
		last = max(last, n)
	}
	if last == 0 {
		tb.Fatalf("no transaction group of %s is on disk:\n%s", pool, text)
	}
	return last
}

func missing() string {
	if os.Geteuid() != 0 {
		return "this test needs root: run it with su(1) or doas(1)"
	}
	if _, err := os.Stat("/dev/zfs"); err != nil {
		return "this test needs ZFS: kldload zfs"
	}
	return ""
}

var sweep sync.Once

// prepare destroys the pools of test programs that were killed.
func prepare(tb testing.TB) {
	tb.Helper()
	sweep.Do(func() {
		for name := range strings.FieldsSeq(mustRun(tb, "zpool", "list", "-H", "-o", "name")) {
			var pid, n int
			if _, err := fmt.Sscanf(name, prefix+"%dn%d", &pid, &n); err != nil || pid <= 0 {
				continue
			}
			if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) {
				mustRun(tb, "zpool", "destroy", "-f", name)
			}
		}
	})
}

func revive(testing.TB) {}

func made(string) {}

func gone(string) {}
