package jailctl

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

const passwd = `# $FreeBSD$
root:*:0:0:Charlie &:/root:/bin/sh
broken:*:1000
short:*:7:7
web:*:80:80:World Wide Web Owner:/var/www:/usr/sbin/nologin
other:*:80:80:The same number:/var/other:/usr/sbin/nologin
relative:*:81:81::home:/bin/sh
none:*:82:82:::/bin/sh
`

func TestHome(t *testing.T) {
	write := func(path string) error { return os.WriteFile(path, []byte(passwd), 0o600) }
	for name, test := range map[string]struct {
		prepare func(root, etc string) error
		homes   map[int]string
	}{
		"a file of users": {
			func(_, etc string) error { return write(filepath.Join(etc, "passwd")) },
			map[int]string{0: "/root", 80: "/var/www", 81: noHome, 82: noHome, 7: noHome, 1000: noHome, 4711: noHome},
		},
		"none": {func(string, string) error { return nil }, map[int]string{0: noHome}},
		"a link in the root": {
			func(root, etc string) error {
				if err := write(filepath.Join(root, "users")); err != nil {
					return err
				}
				return os.Symlink("/users", filepath.Join(etc, "passwd"))
			},
			map[int]string{0: "/root"},
		},
		"a link to the host": {
			func(root, etc string) error {
				outside := filepath.Join(filepath.Dir(root), "passwd")
				if err := write(outside); err != nil {
					return err
				}
				return os.Symlink(outside, filepath.Join(etc, "passwd"))
			},
			map[int]string{0: noHome},
		},
		// Nobody may be kept waiting by what an image has there.
		"a fifo":   {func(_, etc string) error { return unix.Mkfifo(filepath.Join(etc, "passwd"), 0o600) }, map[int]string{0: noHome}},
		"a folder": {func(_, etc string) error { return os.Mkdir(filepath.Join(etc, "passwd"), 0o700) }, map[int]string{0: noHome}},
	} {
		root := filepath.Join(t.TempDir(), "root")
		etc := filepath.Join(root, "etc")
		if err := os.MkdirAll(etc, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := test.prepare(root, etc); err != nil {
			t.Fatal(err)
		}
		for uid, want := range test.homes {
			if got := home(root, uid); got != want {
				t.Errorf("%s: home of user %d: got %q, want %q", name, uid, got, want)
			}
		}
	}
}

func TestWithHome(t *testing.T) {
	root := t.TempDir()
	for _, test := range []struct{ env, want []string }{
		{nil, []string{"HOME=/"}},
		{[]string{"A=b"}, []string{"A=b", "HOME=/"}},
		{[]string{"HOME=", "A=b"}, []string{"A=b", "HOME=/"}},
		{[]string{"HOME=/x", "A=b"}, []string{"HOME=/x", "A=b"}},
	} {
		if got := withHome(test.env, root, 0); !slices.Equal(got, test.want) {
			t.Errorf("%q: got %q, want %q", test.env, got, test.want)
		}
	}
}
