package main

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"jailshim/test/image"
)

// TestLibraries_RealOutput_Paths: a library that is not found leaves an image
// whose programs don't start, and the demo then blames the shim.
func TestLibraries_RealOutput_Paths(t *testing.T) {
	for name, c := range map[string]struct {
		ldd     string
		want    []string
		wantErr bool
	}{
		"glibc": {
			ldd: "\tlinux-vdso.so.1 (0x00007ffe9d5e6000)\n" +
				"\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f2e5bc00000)\n" +
				"\t/lib64/ld-linux-x86-64.so.2 (0x00007f2e5bf2d000)\n",
			want: []string{"/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2"},
		},
		"musl": {
			ldd: "\t/lib/ld-musl-x86_64.so.1 (0x7f5b4e8d0000)\n" +
				"\tlibc.musl-x86_64.so.1 => /lib/ld-musl-x86_64.so.1 (0x7f5b4e8d0000)\n",
			want: []string{"/lib/ld-musl-x86_64.so.1", "/lib/ld-musl-x86_64.so.1"},
		},
		"loader with an arrow": {
			ldd:  "\t/nix/store/x/ld-linux-x86-64.so.2 => /nix/store/y/ld-linux-x86-64.so.2 (0x00007f2e5bf2d000)\n",
			want: []string{"/nix/store/x/ld-linux-x86-64.so.2", "/nix/store/y/ld-linux-x86-64.so.2"},
		},
		"missing": {
			ldd:     "\tlibtinfo.so.6 => not found\n",
			wantErr: true,
		},
	} {
		got, err := libraries(c.ldd)
		if !slices.Equal(got, c.want) || (err != nil) != c.wantErr {
			t.Errorf("%s: got %q, %v, want %q, error %t", name, got, err, c.want, c.wantErr)
		}
	}
}

// TestLinkedFiles_NamesOfOneFile_StoredOnce: 150 copies of one program of 15 MB
// would make an image of 2 GB.
func TestLinkedFiles_NamesOfOneFile_StoredOnce(t *testing.T) {
	dir := t.TempDir()
	for _, err := range []error{
		os.WriteFile(filepath.Join(dir, "b"), []byte("many"), 0o755),
		os.Link(filepath.Join(dir, "b"), filepath.Join(dir, "a")),
		os.Link(filepath.Join(dir, "b"), filepath.Join(dir, "d")),
		os.WriteFile(filepath.Join(dir, "c"), []byte("script"), 0o555),
		os.Mkdir(filepath.Join(dir, "folder"), 0o755),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	got, err := linkedFiles(dir, "/bin")
	want := []image.File{
		{Name: "/bin/a", Mode: 0o755, Data: []byte("many")},
		{Name: "/bin/b", Same: "/bin/a"},
		{Name: "/bin/c", Mode: 0o555, Data: []byte("script")},
		{Name: "/bin/d", Same: "/bin/a"},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}

// TestQuote_AnyWord_ReadBackByShell: commands that are printed must work when
// they are pasted.
func TestQuote_AnyWord_ReadBackByShell(t *testing.T) {
	for word, want := range map[string]string{
		"ctr":        "ctr",
		"--a=/b:c,d": "--a=/b:c,d",
		"":           "''",
		"a b":        "'a b'",
		"it's $HOME": `'it'\''s $HOME'`,
	} {
		if got := quote(word); got != want {
			t.Errorf("quote(%q) = %s, want %s", word, got, want)
		}
	}
}
