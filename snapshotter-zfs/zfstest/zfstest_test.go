package zfstest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMain(m *testing.M) { os.Exit(Main(m)) }

func TestPool_HasFileSystemsThatHoldData(t *testing.T) {
	p := NewPool(t, PoolSize)
	ds := p.Create(t, "a")
	dir := t.TempDir()
	unmount := Mount(t, ds, dir)
	if err := os.WriteFile(filepath.Join(dir, "f"), []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	unmount()
	if _, err := os.Stat(filepath.Join(dir, "f")); !os.IsNotExist(err) {
		t.Errorf("still mounted: %v", err)
	}
	Fill(t, ds, 1<<20)
	unmount = Mount(t, ds, dir)
	defer unmount()
	if b, err := os.ReadFile(filepath.Join(dir, "f")); string(b) != "kept" {
		t.Errorf("%q, %v", b, err)
	}
}

// What is synced survives, what is not may be lost; the file systems work again.
func TestKill_SyncedSurvives(t *testing.T) {
	Require(t)
	if !CanKill() {
		t.Log("the kernel cannot be killed")
		return
	}
	p := NewPool(t, PoolSize)
	ds := p.Create(t, "a")
	for _, round := range []string{"1", "2", "3"} {
		dir := t.TempDir()
		Mount(t, ds, dir)
		mustRun(t, "zfs", "snapshot", ds+"@"+round)
		Kill(t)
		if _, err := run("zfs", "list"); err == nil {
			t.Fatal("it answers though it was killed")
		}
		Restart(t)
		names := mustRun(t, "zfs", "list", "-H", "-o", "name", "-t", "snapshot", "-r", ds)
		if !strings.Contains(names, ds+"@"+round) {
			t.Errorf("round %s: snapshots %q", round, names)
		}
	}
	Kill(t) // the pool's clean-up brings it back
}
