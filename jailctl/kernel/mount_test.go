package kernel

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"jailshim/internal/captured"
)

// mountLine is how the note of the vector describes a mount.
func mountLine(m MountInfo) string {
	return fmt.Sprintf("version %#x flags %#x fsid %d %d type %q from %q on %q ",
		statfsVersion, m.Flags, m.ID[0], m.ID[1], m.Type, m.From, m.On)
}

func TestDecodeMounts(t *testing.T) {
	b := captured.Bytes(t, vectorMounts)
	mounts, err := DecodeMounts(b)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for line := range strings.Lines(captured.Note(t, vectorMounts)) {
		if strings.HasPrefix(line, "version") {
			want = append(want, line)
		}
	}
	if len(mounts) != len(want) || len(mounts) == 0 {
		t.Fatalf("got %d mounts, the note has %d", len(mounts), len(want))
	}
	for i, m := range mounts {
		if got := mountLine(m); !strings.HasPrefix(want[i], got) {
			t.Errorf("mount %d: got %q, want %q", i, got, want[i])
		}
	}
	if mounts[2].Flags&MountReadOnly == 0 || mounts[1].Flags&MountReadOnly != 0 {
		t.Errorf("MountReadOnly of %v and %v", mounts[1], mounts[2])
	}
	for n := range b {
		got, err := DecodeMounts(b[:n])
		switch {
		case n%statfsSize == 0 && (err != nil || !slices.Equal(got, mounts[:n/statfsSize])):
			t.Errorf("the first %d bytes: %v, %v", n, got, err)
		case n%statfsSize != 0 && !errors.Is(err, ErrLayout):
			t.Errorf("the first %d bytes: %v, %v, want ErrLayout", n, got, err)
		}
		if n > statfsSize {
			continue
		}
		if m, err := decodeMount(b[:n]); n < statfsSize && !errors.Is(err, ErrLayout) {
			t.Errorf("one mount of %d bytes: %v, %v, want ErrLayout", n, m, err)
		}
	}
	other := slices.Clone(b)
	other[statfsSize]++
	if got, err := DecodeMounts(other); !errors.Is(err, ErrLayout) {
		t.Errorf("another version: %v, %v, want ErrLayout", got, err)
	}
}

func TestFSID_String(t *testing.T) {
	if got, want := (FSID{-2029977810, 135}).String(), "FSID:-2029977810:135"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestMountParams(t *testing.T) {
	got, err := mountParams("tmpfs", "/t", []MountOption{{Name: "ro"}, {Name: "size", Value: "1m", HasValue: true}, {Name: "e", HasValue: true}})
	want := []Param{String("fstype", "tmpfs"), String("fspath", "/t"), {Name: "ro"}, String("size", "1m"), String("e", "")}
	if err != nil || !slices.EqualFunc(got, want, func(a, b Param) bool {
		return a.Name == b.Name && bytes.Equal(a.Value, b.Value)
	}) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	// A text with a NUL would be cut there by the kernel: another mount than the
	// one that was checked.
	for _, c := range [][2]string{{"tmpfs\x00", "/t"}, {"tmpfs", "/t\x00/x"}} {
		if got, err := mountParams(c[0], c[1], nil); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("%q on %q: %q, %v, want EINVAL", c[0], c[1], got, err)
		}
	}
	if got, err := mountParams("nullfs", "/t", []MountOption{{Name: "from", Value: "/a\x00b", HasValue: true}}); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("got %q, %v, want EINVAL", got, err)
	}
}

// FuzzDecodeMounts feeds bytes in place of what getfsstat(2) fills.
func FuzzDecodeMounts(f *testing.F) {
	b := captured.Bytes(f, vectorMounts)
	f.Add(b)
	f.Add(b[:statfsSize])
	f.Fuzz(func(t *testing.T, b []byte) {
		mounts, err := DecodeMounts(b)
		if err == nil && len(mounts)*statfsSize != len(b) || err != nil && mounts != nil {
			t.Errorf("%d bytes: %d mounts, %v", len(b), len(mounts), err)
		}
		for _, m := range mounts {
			if len(m.On) > mountNameSize || len(m.From) > mountNameSize || len(m.Type) > typeNameSize {
				t.Errorf("mount %+v is longer than its fields", m)
			}
		}
	})
}
