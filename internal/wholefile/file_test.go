package wholefile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// names returns what is in the folder.
func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return strings.Join(all, " ")
}

func TestWrite_Replaces(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	for _, want := range []string{"long contents", "short", ""} {
		if err := Write(path, []byte(want), 0o640); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode() != 0o640 {
		t.Errorf("mode %v, %v", fi.Mode(), err)
	}
	if got := names(t, dir); got != "f" {
		t.Errorf("the folder has %s", got)
	}
}

// Who reads meanwhile has the one or the other.
func TestWrite_OpenFile_StaysAsItWas(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := Write(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := Write(path, []byte("new and longer"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 20)
	if n, _ := f.Read(b); string(b[:n]) != "old" {
		t.Errorf("got %q", b[:n])
	}
}

// A write that was killed leaves its file, and who may write to the folder may leave a
// link.
func TestWrite_SomethingInTheWay_IsReplaced(t *testing.T) {
	victim := filepath.Join(t.TempDir(), "victim")
	if err := os.WriteFile(victim, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, leave := range map[string]func(temp string) error{
		"file":          func(temp string) error { return os.WriteFile(temp, []byte("a half-written"), 0o666) },
		"link":          func(temp string) error { return os.Symlink(victim, temp) },
		"dangling link": func(temp string) error { return os.Symlink(victim+"2", temp) },
		"hard link":     func(temp string) error { return os.Link(victim, temp) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "f")
			if err := leave(path + Suffix); err != nil {
				t.Fatal(err)
			}
			if err := Write(path, []byte("new"), 0o640); err != nil {
				t.Fatal(err)
			}
			if got, err := os.ReadFile(path); err != nil || string(got) != "new" {
				t.Errorf("got %q, %v", got, err)
			}
			if fi, err := os.Lstat(path); err != nil || fi.Mode() != 0o640 {
				t.Errorf("mode %v, %v", fi.Mode(), err)
			}
			if got := names(t, dir); got != "f" {
				t.Errorf("the folder has %s", got)
			}
			if got, err := os.ReadFile(victim); err != nil || string(got) != "precious" {
				t.Errorf("the file that the link names: %q, %v", got, err)
			}
			if got := names(t, filepath.Dir(victim)); got != "victim" {
				t.Errorf("the folder that the link names has %s", got)
			}
		})
	}
}

func TestWrite_Fails_NothingChanges(t *testing.T) {
	dir := t.TempDir()
	if err := Write(filepath.Join(dir, "no", "f"), nil, 0o600); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want one wrapping fs.ErrNotExist", err)
	}
	// A file can't take the place of a folder.
	if err := os.Mkdir(filepath.Join(dir, "d"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Write(filepath.Join(dir, "d"), []byte("x"), 0o600); err == nil || !strings.Contains(err.Error(), "rename") {
		t.Errorf("got %v, want one of the rename", err)
	}
	if got := names(t, dir); got != "d" {
		t.Errorf("the folder has %s", got)
	}
}

func TestRemove(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	for _, name := range []string{path, path + Suffix} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := Remove(path); err != nil {
			t.Error(err)
		}
		if got := names(t, dir); got != "" {
			t.Errorf("the folder has %s", got)
		}
	}
}

func TestAppend(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if err := Append(path, []byte("x")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: got %v, want one wrapping fs.ErrNotExist", err)
	}
	if err := errors.Join(Write(path, []byte("a\n"), 0o600), Append(path, []byte("b\n")), Append(path, []byte("c\n"))); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "a\nb\nc\n" {
		t.Errorf("got %q, %v", got, err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if err := Append(link, []byte("x")); err == nil {
		t.Error("a link was followed")
	}
}
