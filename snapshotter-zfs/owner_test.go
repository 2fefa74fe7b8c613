package zfs

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerd/errdefs"

	"jailshim/snapshotter-zfs/engine/model"
)

// refused makes a snapshotter that must be refused with FailedPrecondition.
func refused(t *testing.T, c Config, words ...string) {
	t.Helper()
	s, err := New(t.Context(), c)
	if err == nil {
		must(t, s.Close())
	}
	if !errdefs.IsFailedPrecondition(err) {
		t.Fatalf("%v, want FailedPrecondition", err)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("the error lacks %q: %v", w, err)
		}
	}
}

func TestNew_DatasetIsInUse_IsRefused(t *testing.T) {
	w := newModelWorld(t, allCapabilities)
	c := w.config()
	c.Locks = filepath.Join(t.TempDir(), "locks")
	s := open(t, c)
	top := image(t, w, s, "default", 2)
	other := c
	other.State = t.TempDir()
	before := objects(t, s)
	refused(t, other, modelRoot, c.State, fmt.Sprint("process ", os.Getpid()))
	if after := objects(t, s); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("who was refused has changed %v to %v", before, after)
	}
	mustMounts(t)(s.Prepare(t.Context(), "c", top))
	must(t, s.Close())
	mustMounts(t)(open(t, c).Prepare(t.Context(), "d", top))
}

func TestNew_DatasetOfAnotherStateFolder_IsRefusedUntilItIsGivenUp(t *testing.T) {
	w := newModelWorld(t, allCapabilities)
	c := w.config()
	s := open(t, c)
	top := image(t, w, s, "default", 2)
	must(t, s.Close())
	other := c
	other.State = t.TempDir()
	refused(t, other, modelRoot, c.State, "zfs inherit "+propOwner+" "+modelRoot)
	must(t, model.New(w.pool).SetProps(t.Context(), modelRoot, map[string]string{propOwner: ""}))
	s = open(t, other)
	mustMounts(t)(s.Prepare(t.Context(), "c", top)) // its records came back from ZFS
	must(t, s.Close())
	// The first one's database has missed that; it would destroy "c".
	refused(t, c, other.State)
}

func TestNew_DatabaseOfBefore_IsRefused(t *testing.T) {
	w := newModelWorld(t, allCapabilities)
	s := open(t, w.config())
	top := image(t, w, s, "default", 2)
	must(t, s.Close())
	old, err := os.ReadFile(filepath.Join(w.state, "records.db"))
	must(t, err)
	removeDatabase(t, w)
	s = open(t, w.config())
	mustMounts(t)(s.Prepare(t.Context(), "c", top))
	must(t, s.Close())
	must(t, os.WriteFile(filepath.Join(w.state, "records.db"), old, 0o600))
	refused(t, w.config(), "records.db", "another database")
	removeDatabase(t, w)
	if _, err := open(t, w.config()).Stat(t.Context(), "c"); err != nil {
		t.Error(err)
	}
}

func TestNew_StateFolderWasMoved_IsTheSame(t *testing.T) {
	w := newModelWorld(t, allCapabilities)
	s := open(t, w.config())
	must(t, s.Close())
	moved := filepath.Join(t.TempDir(), "moved")
	must(t, os.Rename(w.state, moved))
	c := w.config()
	c.State = moved
	must(t, open(t, c).Close())
	refused(t, w.config(), moved)
}
