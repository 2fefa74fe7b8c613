package zfstest

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"jailshim/internal/need"
)

// PoolSize is enough for most tests. Files of pools are sparse.
const PoolSize = 256 << 20

// patience is how long a command may take, on a slow machine too.
const patience = 2 * time.Minute

// Pool is a pool in a file. Its root has the mountpoint "none".
type Pool struct {
	Name string
}

var pools atomic.Int64

// Require skips a test that cannot have a ZFS, or fails it with E2E_REQUIRE=1.
func Require(tb testing.TB) {
	tb.Helper()
	if text := missing(); text != "" {
		need.Missing(tb, text)
	}
}

// NewPool makes a pool of size bytes, 64 MiB or more, and destroys it when the test
// ends. It calls [Require].
func NewPool(tb testing.TB, size int64) *Pool {
	tb.Helper()
	Require(tb)
	prepare(tb)
	p := &Pool{Name: fmt.Sprintf("%s%dn%d", prefix, os.Getpid(), pools.Add(1))}
	file := filepath.Join(tb.TempDir(), "pool")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		tb.Fatal(err)
	}
	if err := os.Truncate(file, size); err != nil {
		tb.Fatal(err)
	}
	mustRun(tb, "zpool", "create", "-O", "mountpoint=none", p.Name, file)
	made(p.Name)
	tb.Cleanup(func() {
		revive(tb)
		gone(p.Name)
		if err := destroyPool(p.Name); err != nil {
			tb.Error(err)
		}
	})
	return p
}

// busyTime is how long a pool may be busy after what was in it has been unmounted:
// zfs-fuse hears of that later than the one who unmounted.
const busyTime = 10 * time.Second

func destroyPool(name string) error {
	for deadline := time.Now().Add(busyTime); ; time.Sleep(20 * time.Millisecond) {
		_, err := run("zpool", "destroy", "-f", name)
		if err == nil || !strings.Contains(err.Error(), "pool is busy") || time.Now().After(deadline) {
			return err
		}
	}
}

// Create makes a file system in the pool for a test, and returns its name.
func (p *Pool) Create(tb testing.TB, name string) string {
	tb.Helper()
	name = p.Name + "/" + name
	mustRun(tb, "zfs", "create", name)
	return name
}

// Temporary makes a file system in the pool that is destroyed, with all that depends
// on it, when the test ends.
func (p *Pool) Temporary(tb testing.TB) string {
	tb.Helper()
	name := p.Create(tb, fmt.Sprintf("t%d", pools.Add(1)))
	tb.Cleanup(func() {
		revive(tb)
		if _, err := run("zfs", "destroy", "-R", name); err != nil {
			tb.Error(err)
		}
	})
	return name
}

// Fill writes n bytes that do not compress to a file system that is not mounted.
func Fill(tb testing.TB, dataset string, n int) {
	tb.Helper()
	dir := tb.TempDir()
	unmount := Mount(tb, dataset, dir)
	defer unmount()
	data := make([]byte, n)
	if _, err := rand.Read(data); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, rand.Text()), data, 0o600); err != nil {
		tb.Fatal(err)
	}
}

// Use keeps a file system that is not mounted busy, until release is called.
func Use(tb testing.TB, dataset string) (release func()) {
	tb.Helper()
	return Mount(tb, dataset, tb.TempDir())
}

// run runs a command and returns what it prints.
func run(name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	return stdout.String(), nil
}

func mustRun(tb testing.TB, name string, args ...string) string {
	tb.Helper()
	out, err := run(name, args...)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// prefix begins the names of all pools of tests; the process id follows.
const prefix = "jtz"
