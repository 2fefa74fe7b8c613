package jailctl

import (
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"jailshim/netsetup/locked"
)

func TestRoots(t *testing.T) {
	f := roots(filepath.Join(t.TempDir(), "roots"))
	if got, err := f.list(t.Context()); err != nil || got != nil {
		t.Fatalf("before any: %v, %v", got, err)
	}
	dir := realPath(t.TempDir())
	r := New(Config{Root: filepath.Join(dir, "a")})
	other := New(Config{Root: filepath.Join(dir, "b")})
	expect := func(when string, want ...string) {
		t.Helper()
		if got, err := f.list(t.Context()); err != nil || !slices.Equal(slices.Sorted(slices.Values(got)), want) {
			t.Errorf("%s: %v, %v, want %v", when, got, err, want)
		}
	}
	for _, step := range []struct {
		what string
		do   func() error
		want []string
	}{
		{"never remembered", func() error { return f.forget(t.Context(), r) }, nil},
		{"a container", func() error { return r.store.reserve("x") }, nil},
		{"remembered", func() error { return f.remember(t.Context(), r) }, []string{dir + "/a"}},
		{"again", func() error { return f.remember(t.Context(), r) }, []string{dir + "/a"}},
		{"forgotten with a container", func() error { return f.forget(t.Context(), r) }, []string{dir + "/a"}},
		{"another one", func() error { return other.store.reserve("y") }, []string{dir + "/a"}},
		{"both", func() error { return f.remember(t.Context(), other) }, []string{dir + "/a", dir + "/b"}},
		{"forgotten without", func() error {
			if err := r.store.remove("x"); err != nil {
				return err
			}
			return f.forget(t.Context(), r)
		}, []string{dir + "/b"}},
		{"the folder is gone", func() error { return os.RemoveAll(other.config.Root) }, nil},
		{"that of a shim", func() error { return f.remember(t.Context(), New(Config{Root: dir + "/c", Namespace: "k8s.io"})) }, nil},
		{"the usual one", func() error { return f.remember(t.Context(), New(Config{Root: DefaultRoot})) }, nil},
	} {
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.what, err)
		}
		expect(step.what, step.want...)
	}
	files, err := locked.Open(string(f))
	if err != nil {
		t.Fatal(err)
	}
	if left, err := files.Names(); err != nil || len(left) > 0 {
		t.Errorf("left over: %v, %v", left, err)
	}
}

// A root whose last container goes while another one comes is remembered.
func TestRoots_LastGoesWhileAnotherComes_Remembered(t *testing.T) {
	dir := t.TempDir()
	f := roots(filepath.Join(dir, "roots"))
	r := New(Config{Root: filepath.Join(dir, "a")})
	step := func(err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	for range 200 {
		step(r.store.reserve("old"))
		step(f.remember(t.Context(), r))
		var both sync.WaitGroup
		both.Go(func() {
			step(r.store.remove("old"))
			step(f.forget(t.Context(), r))
		})
		both.Go(func() {
			step(r.store.reserve("new"))
			step(f.remember(t.Context(), r))
		})
		both.Wait()
		if got, err := f.list(t.Context()); err != nil || len(got) != 1 {
			t.Fatalf("%v, %v, want the one root", got, err)
		}
		step(r.store.remove("new"))
		step(f.forget(t.Context(), r))
	}
}
