package plan

import (
	"strings"
	"testing"
)

func TestParseOptions_Errors(t *testing.T) {
	for _, test := range []struct{ fstype, option, word string }{
		{"tmpfs", "size=50%", "part of the memory"},
		{"tmpfs", "size=12q", "suffix"},
		{"tmpfs", "size=", "suffix"},
		{"tmpfs", "size", "value"},
		{"tmpfs", "size=-1", "suffix"},
		{"tmpfs", "size=+1", "suffix"},
		{"tmpfs", "size=k", "suffix"},
		{"tmpfs", "size=9999999999t", "suffix"},
		{"tmpfs", "mode=999", "octal"},
		{"tmpfs", "mode=17777", "octal"},
		{"tmpfs", "uid=root", "number"},
		{"tmpfs", "gid=4294967295", "number"},
		{"tmpfs", "huge=always", "huge"},
		{"tmpfs", "nonc=1", "no value"},
		{"tmpfs", "=1", "no name"},
		{"devfs", "ruleset=0", "every device"},
		{"devfs", "ruleset=x", "from 1 to 65535"},
		{"devfs", "ruleset=65536", "from 1 to 65535"},
		{"devfs", "rule=hide", "unhide"},
		{"devfs", "rule=path pf", "unhide"},
		{"devfs", "rule=path ../x unhide", "out of /dev"},
		{"devfs", "rule=path pf unhide mode 9", "OCTAL"},
		{"devfs", "rule=path da* unhide", "pattern"},
		{"devfs", "rule=path pf unhide user", "OCTAL"},
		{"nullfs", "ro=1", "ro=1"},
		{"linprocfs", "hidepid=2", "hidepid"},
		{"zfs", "remount", "remount"},
		{"zfs", "from=x", "from"},
		{"zfs", "a\x00b", "NUL"},
	} {
		_, err := parseOptions(test.fstype, []string{test.option})
		if err == nil || !strings.Contains(err.Error(), test.word) {
			t.Errorf("%s %q: got %v, want %q in it", test.fstype, test.option, err, test.word)
		}
	}
}

func TestParseSize(t *testing.T) {
	for text, want := range map[string]uint64{"0": 0, "1": 1, "4k": 4096, "64M": 64 << 20, "1g": 1 << 30, "2T": 2 << 40, "007": 7} {
		if got, err := parseSize(text); err != nil || got != want {
			t.Errorf("%s: got %d, %v, want %d", text, got, err, want)
		}
	}
}

// No option of a specification may turn a mount into another one: the kernel
// takes the last of two options of a name.
func FuzzParseOptions(f *testing.F) {
	for _, s := range []string{"ro", "size=64k", "rule=path pf unhide mode 0600", "ruleset=4", "fspath=/", "mode=1777", "=", "a=b=c"} {
		f.Add("tmpfs", s)
		f.Add("devfs", s)
		f.Add("zfs", s)
	}
	f.Fuzz(func(t *testing.T, fstype, option string) {
		o, err := parseOptions(fstype, []string{option, "nosuid", option})
		if err != nil {
			return
		}
		for i, opt := range o.options {
			switch opt.Name {
			case "", "fstype", "fspath", "from", "target", "errmsg", "update":
				t.Errorf("%q gave the option %q", option, opt.Name)
			}
			if strings.ContainsRune(opt.Name+opt.Value, 0) || !opt.HasValue && opt.Value != "" {
				t.Errorf("%q gave %+v", option, opt)
			}
			for _, other := range o.options[:i] {
				if other.Name == opt.Name {
					t.Errorf("%q gave %q twice", option, opt.Name)
				}
			}
		}
		if o.ruleset < 0 || o.ruleset > 65535 {
			t.Errorf("%q gave ruleset %d", option, o.ruleset)
		}
	})
}
