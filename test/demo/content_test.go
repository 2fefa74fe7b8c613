package main

import (
	"slices"
	"testing"
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
