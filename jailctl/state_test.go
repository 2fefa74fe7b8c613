package jailctl

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/containerd/errdefs"

	"jailshim/netsetup"
)

func TestStore_WriteRead_Same(t *testing.T) {
	s := store(filepath.Join(t.TempDir(), "state"))
	if err := s.reserve("default-web"); err != nil {
		t.Fatal(err)
	}
	if err := s.reserve("default-web"); !errdefs.IsAlreadyExists(err) {
		t.Errorf("reserved twice: got error %v", err)
	}
	if _, err := s.read("default-web"); !errdefs.IsNotFound(err) {
		t.Errorf("state that was never written: got error %v", err)
	}
	want := &State{Version: stateVersion, Namespace: "default", ID: "web", Jail: "default-web", Root: "/r",
		Mounts: []string{"/r"}, Init: ProcessID{7, 3 * time.Second}, Annotations: map[string]string{"a": "b"}}
	k := &Container{rt: &Runtime{store: s}, name: "default-web", state: *want}
	if err := k.save(); err != nil {
		t.Fatal(err)
	}
	got, err := s.read("default-web")
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if pid := New(Config{Root: string(s), Namespace: "default"}).Pid("web", ""); pid != want.Init.Pid {
		t.Errorf("pid %d, want %d", pid, want.Init.Pid)
	}
	names, err := s.names()
	if err != nil || !reflect.DeepEqual(names, []string{"default-web"}) {
		t.Errorf("names: got %v, %v", names, err)
	}
	// With a network, and without again.
	network := NetworkState{Owner: "default-web", Attachment: &netsetup.Attachment{}, Aliases: true}
	for _, n := range []NetworkState{network, {}} {
		k.state.Network = n
		if err := k.save(); err != nil {
			t.Fatal(err)
		}
		if got, err := s.read("default-web"); err != nil || !reflect.DeepEqual(got.Network, n) {
			t.Errorf("network: got %+v, %v, want %+v", got.Network, err, n)
		}
	}
	for range 2 { // what is gone is no error
		if err := s.remove("default-web"); err != nil {
			t.Fatal(err)
		}
	}
	if pid := New(Config{Root: string(s), Namespace: "default"}).Pid("web", ""); pid != 0 {
		t.Errorf("pid %d of a container that is gone", pid)
	}
	if _, err := os.Stat(s.folder("default-web")); !os.IsNotExist(err) {
		t.Errorf("the folder is still there: %v", err)
	}
}

// A folder without a state is one that is just being made, or nobody's.
func TestRuntime_Reserve_FolderWithoutState(t *testing.T) {
	r := New(Config{Root: t.TempDir()})
	if err := r.store.reserve("x"); err != nil {
		t.Fatal(err)
	}
	if err := r.reserve(t.Context(), "x"); !errdefs.IsAlreadyExists(err) {
		t.Errorf("a new one: got error %v, want one wrapping ErrAlreadyExists", err)
	}
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(r.store.folder("x"), old, old); err != nil {
		t.Fatal(err)
	}
	if err := r.reserve(t.Context(), "x"); err != nil {
		t.Errorf("an old one: %v", err)
	}
}

// A state that a later version wrote is not guessed at.
func TestStore_OtherVersion_Refused(t *testing.T) {
	s := store(t.TempDir())
	if err := s.reserve("x"); err != nil {
		t.Fatal(err)
	}
	k := &Container{rt: &Runtime{store: s}, name: "x", state: State{Version: stateVersion + 1}}
	if err := k.save(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.read("x"); !errdefs.IsFailedPrecondition(err) {
		t.Errorf("got error %v, want one wrapping ErrFailedPrecondition", err)
	}
}

// What is on disk is written again only when it changes; a write that failed has
// not changed it.
func TestContainer_Save_OnlyChanges(t *testing.T) {
	s := store(t.TempDir())
	k := &Container{rt: &Runtime{store: s}, name: "x", state: State{Version: stateVersion}}
	if err := k.save(); err == nil {
		t.Fatal("saved without a folder")
	}
	if err := s.reserve("x"); err != nil {
		t.Fatal(err)
	}
	for _, change := range []struct {
		jid  int
		want bool
	}{{0, true}, {0, false}, {7, true}, {7, false}} {
		k.state.JID = change.jid
		if err := k.save(); err != nil {
			t.Fatal(err)
		}
		err := os.Remove(filepath.Join(s.folder("x"), stateFile))
		if got := err == nil; got != change.want {
			t.Errorf("state with jid %d: written: %v, want %v", change.jid, got, change.want)
		}
	}
}

// The folder may hold a mount whose removal failed: what is in it is never
// removed as a tree.
func TestStore_RemoveFolderInUse_KeepsWhatIsInside(t *testing.T) {
	s := store(t.TempDir())
	if err := s.reserve("x"); err != nil {
		t.Fatal(err)
	}
	inside := filepath.Join(s.folder("x"), rootFolder, "bin")
	if err := os.MkdirAll(inside, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := s.remove("x"); err == nil {
		t.Error("removed a folder with a root in it")
	}
	if _, err := os.Stat(inside); err != nil {
		t.Errorf("what was inside is gone: %v", err)
	}
}
