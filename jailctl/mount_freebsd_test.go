package jailctl

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"

	"jailshim/jailctl/kernel"
	"jailshim/jailctl/plan"
)

// swapped is a root with a volume that others can write, and what they could want to
// have mounted upon.
type swapped struct {
	root, shared, outside, source string
	before                        []kernel.MountInfo
}

func newSwapped(t *testing.T) *swapped {
	t.Helper()
	dir := newRuntime(t).dir
	s := &swapped{root: filepath.Join(dir, "root"), shared: filepath.Join(dir, "shared"), outside: filepath.Join(dir, "outside"), source: filepath.Join(dir, "source")}
	for _, d := range []string{filepath.Join(s.root, "vol"), filepath.Join(s.root, "own"), filepath.Join(s.shared, "x"), s.outside} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []string{s.source, filepath.Join(s.outside, "f")} {
		if err := os.WriteFile(f, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	vol := filepath.Join(s.root, "vol")
	if err := kernel.Mount("nullfs", vol, []kernel.MountOption{{Name: "from", Value: s.shared, HasValue: true}}, 0); err != nil {
		t.Fatal(err)
	}
	var err error
	if s.before, err = kernel.Mounts(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := kernel.Unmount(vol, true); err != nil {
			t.Errorf("the volume: %v", err)
		}
	})
	return s
}

func (s *swapped) target(t *testing.T, m *plan.Mount) *spot {
	t.Helper()
	at, err := target(m, s.root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(at.Close)
	return at
}

// wantRefused checks that the exchange was seen, and that the mounts are as before.
func (s *swapped) wantRefused(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, errChanged) || !errdefs.IsFailedPrecondition(err) {
		t.Errorf("got %v, want %v", err, errChanged)
	}
	after, err := kernel.Mounts()
	if err != nil || !slices.Equal(after, s.before) {
		t.Errorf("mounted are %v, %v, want %v", after, err, s.before)
	}
}

// Another container puts a link in the place of what is to be mounted upon.
func TestMountOne_TargetBecomesALink_NothingStaysMounted(t *testing.T) {
	for name, tt := range map[string]struct{ target, swap string }{
		"folder in a volume":         {"/vol/x", "shared/x"},
		"above a folder in a volume": {"/vol/x/y", "shared/x"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSwapped(t)
			m := &plan.Mount{Type: "tmpfs", Target: tt.target}
			at := s.target(t, m)
			exchange(t, filepath.Join(filepath.Dir(s.root), tt.swap), s.outside)
			if err := os.MkdirAll(filepath.Join(s.outside, "y"), 0o755); err != nil {
				t.Fatal(err)
			}
			s.wantRefused(t, mountOne(m, at))
		})
	}
	for name, tt := range map[string]struct{ target, swap, to string }{
		"file in a volume":         {"/vol/x/f", "shared/x/f", "f"},
		"above a file in a volume": {"/vol/x/f", "shared/x", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSwapped(t)
			m := &plan.Mount{Type: "nullfs", Source: s.source, Target: tt.target}
			at := s.target(t, m)
			exchange(t, filepath.Join(filepath.Dir(s.root), tt.swap), filepath.Join(s.outside, tt.to))
			s.wantRefused(t, mountOne(m, at))
		})
	}
}

// In the root itself only the host changes names, and which mount is the new one is not
// looked for: whoever did it is told.
func TestMountOne_FolderOfTheRootBecomesALink_IsTold(t *testing.T) {
	s := newSwapped(t)
	m := &plan.Mount{Type: "tmpfs", Target: "/own"}
	at := s.target(t, m)
	exchange(t, at.path, s.outside)
	if err := mountOne(m, at); !errors.Is(err, errChanged) {
		t.Errorf("got %v, want %v", err, errChanged)
	}
	if err := kernel.Unmount(s.outside, true); err != nil {
		t.Error(err)
	}
}

// They put it back, so that the volume shows at the target again.
func TestCheck_TargetIsBack_OnlyTheStrayIsUnmounted(t *testing.T) {
	s := newSwapped(t)
	file := &plan.Mount{Type: "nullfs", Source: s.source, Target: "/vol/x/f"}
	folder := &plan.Mount{Type: "nullfs", Source: s.shared, Target: "/vol/x"}
	for m, on := range map[*plan.Mount]string{file: filepath.Join(s.outside, "f"), folder: s.outside} {
		at := s.target(t, m)
		if err := kernel.Mount(m.Type, on, []kernel.MountOption{{Name: "from", Value: m.Source, HasValue: true}}, 0); err != nil {
			t.Fatal(err)
		}
		s.wantRefused(t, at.check(m, kernel.FSID{}, s.before))
	}
}

// If two could be it, neither is touched: one is another container's.
func TestCheck_TwoCouldBeIt_NoneIsUnmounted(t *testing.T) {
	s := newSwapped(t)
	m := &plan.Mount{Type: "tmpfs", Target: "/vol/x"}
	at := s.target(t, m)
	for _, on := range []string{s.outside, filepath.Join(s.root, "own")} {
		if err := kernel.Mount("tmpfs", on, nil, 0); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := kernel.Unmount(on, true); err != nil {
				t.Error(err)
			}
		}()
	}
	if err := at.check(m, kernel.FSID{}, s.before); !errors.Is(err, errChanged) {
		t.Errorf("got %v, want %v", err, errChanged)
	}
}

func TestMountOne_InAVolume_IsThere(t *testing.T) {
	s := newSwapped(t)
	for _, m := range []*plan.Mount{
		{Type: "nullfs", Source: s.source, Target: "/vol/x/f"},
		{Type: "tmpfs", Target: "/vol/x"},
		{Type: "nullfs", Source: s.outside, Target: "/vol/x/in/it"},
	} {
		at := s.target(t, m)
		if err := mountOne(m, at); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := kernel.Unmount(at.path, true); err != nil {
				t.Error(err)
			}
		}()
		if got, err := kernel.MountOf(at.path); err != nil || got.On != filepath.Join(s.root, m.Target) || got.Type != m.Type {
			t.Errorf("%s: got %+v, %v", m.Target, got, err)
		}
	}
}

// What is copied is neither read nor written by way of a path.
func TestCopyUp_TargetBecomesALink_CopiesOnlyOntoTheMount(t *testing.T) {
	s := newSwapped(t)
	if err := errors.Join(os.WriteFile(filepath.Join(s.shared, "x/a"), []byte("text"), 0o600),
		os.WriteFile(filepath.Join(s.outside, "f"), []byte("secret"), 0o600)); err != nil {
		t.Fatal(err)
	}
	m := &plan.Mount{Type: "tmpfs", Target: "/vol/x", CopyUp: true}
	at := s.target(t, m)
	err := copyUp(at, func() error {
		if err := mountOne(m, at); err != nil {
			return err
		}
		exchange(t, filepath.Join(s.shared, "x"), s.outside)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := at.mount()
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := kernel.UnmountID(got.ID, true); err != nil {
			t.Error(err)
		}
	}()
	on, err := at.dir.folder(".")
	if err != nil {
		t.Fatal(err)
	}
	defer on.Close()
	f, err := on.file("a", unix.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if text, err := io.ReadAll(f); err != nil || string(text) != "text" || got.Type != "tmpfs" {
		t.Errorf("on %+v is %q, %v", got, text, err)
	}
	if _, err := on.lstat("f"); err == nil {
		t.Error("a file from outside was copied")
	}
	if _, err := os.Lstat(filepath.Join(s.outside, "a")); err == nil {
		t.Error("a file was written outside")
	}
}
