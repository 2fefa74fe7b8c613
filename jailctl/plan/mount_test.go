package plan

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"jailshim/jailctl/kernel"
)

var devMount = specs.Mount{Destination: "/dev", Type: "devfs"}

func mounting(mounts ...specs.Mount) *specs.Spec {
	return with(func(s *specs.Spec) { s.Mounts = mounts })
}

// lines renders the mounts of a plan: "type source target options".
func lines(p *Plan) []string {
	var out []string
	for _, m := range p.Mounts {
		out = append(out, strings.Join(append([]string{m.Type, m.Source, m.Target}, m.options()...), " "))
	}
	return out
}

func TestNew_Mounts(t *testing.T) {
	for _, test := range []struct {
		mount specs.Mount
		want  string // "" is ignored
	}{
		{specs.Mount{Type: "bind", Source: "/src", Destination: "/dst", Options: []string{"rbind", "ro", "rprivate", ""}}, "nullfs /src /dst ro"},
		{specs.Mount{Type: "none", Source: "/src", Destination: "/dst", Options: []string{"bind"}}, "nullfs /src /dst"},
		{specs.Mount{Source: "/src", Destination: "/dst"}, "nullfs /src /dst"},
		{specs.Mount{Type: "nullfs", Source: "rel/../src", Destination: "dst"}, "nullfs /run/bundle/src /dst"},
		{specs.Mount{Type: "nullfs", Source: "/src", Destination: "/a/../../dst/"}, "nullfs /src /dst"},
		{specs.Mount{Type: "tmpfs", Destination: "/tmp", Options: []string{"size=64m", "mode=01777", "uid=5", "noatime"}}, "tmpfs  /tmp noatime size=67108864 mode=1777 uid=5"},
		{specs.Mount{Type: "tmpfs", Destination: "/tmp", Options: []string{"size=1", "ro", "size=2", "rw"}}, "tmpfs  /tmp size=2"},
		{specs.Mount{Type: "devfs", Destination: "/dev"}, "devfs  /dev ruleset=4"},
		{specs.Mount{Type: "devfs", Destination: "/dev", Options: []string{"ruleset=5"}}, "devfs  /dev ruleset=5"},
		{specs.Mount{Type: "fdescfs", Destination: "/dev/fd"}, "fdescfs  /dev/fd"},
		{specs.Mount{Type: "procfs", Destination: "/proc"}, "procfs  /proc"},
		{specs.Mount{Type: "zfs", Source: "zroot/a", Destination: "/a", Options: []string{"nosuid", "strange=1", "odd"}}, "zfs zroot/a /a nosuid strange=1 odd"},
		{specs.Mount{Type: "unionfs", Source: "/up", Destination: "/a", Options: []string{"below"}}, "unionfs /up /a below"},
		{specs.Mount{Type: "proc", Source: "proc", Destination: "/proc"}, ""},
		{specs.Mount{Type: "sysfs", Destination: "/sys"}, ""},
		{specs.Mount{Type: "cgroup2", Destination: "/sys/fs/cgroup"}, ""},
		{specs.Mount{Type: "mqueue", Destination: "/dev/mqueue"}, ""},
		{specs.Mount{Type: "devpts", Destination: "/dev/pts", Options: []string{"newinstance"}}, ""},
	} {
		p := mustPlan(t, mounting(test.mount))
		got := strings.Join(lines(p), "; ")
		if got != test.want {
			t.Errorf("%+v: got %q, want %q", test.mount, got, test.want)
		}
		if test.want == "" && (len(p.Ignored) != 1 || !strings.HasPrefix(p.Ignored[0], "mounts[0] ("+test.mount.Type)) {
			t.Errorf("%+v: ignored %v", test.mount, p.Ignored)
		}
	}
}

func TestNew_MountErrors(t *testing.T) {
	for _, test := range []struct {
		mount specs.Mount
		words []string
	}{
		{specs.Mount{Destination: "/x"}, []string{"type"}},
		{specs.Mount{Type: "none", Destination: "/x"}, []string{"type"}},
		{specs.Mount{Type: "/tmp/evil.ko", Destination: "/x"}, []string{"type", "evil"}},
		{specs.Mount{Type: "nullfs", Destination: "/x"}, []string{"source"}},
		{specs.Mount{Type: "tmpfs"}, []string{"destination"}},
		{specs.Mount{Type: "tmpfs", Destination: "/.."}, []string{"destination", "root"}},
		{specs.Mount{Type: "tmpfs", Destination: "/dev/x"}, []string{"destination", "/dev/x", "freebsd.devices"}},
		{specs.Mount{Type: "bind", Source: "/s", Destination: "/dev/shm"}, []string{"/dev/shm"}},
		{specs.Mount{Type: "bind", Source: "/s", Destination: "/x", Options: []string{"idmap"}}, []string{"options", "idmap"}},
		{specs.Mount{Type: "bind", Source: "/s", Destination: "/x", Options: []string{"rro"}}, []string{"options", "rro"}},
		{specs.Mount{Type: "bind", Source: "/s", Destination: "/x", Options: []string{"fspath=/etc"}}, []string{"options", "fspath"}},
		{specs.Mount{Type: "bind", Source: "/s", Destination: "/x", Options: []string{"strange"}}, []string{"options", "strange", "nocache"}},
		{specs.Mount{Type: "bind", Source: "/s", Destination: "/x", UIDMappings: []specs.LinuxIDMapping{{Size: 1}}}, []string{"mounts[1].uidMappings"}},
		{specs.Mount{Type: "devfs", Destination: "/dev2", Options: []string{"rule=path pf unhide"}}, []string{"options", "/dev2"}},
	} {
		wantInvalid(t, mounting(devMount, test.mount), append(test.words, "mounts[1]")...)
	}
}

// Clients send these to every container; without the exceptions none would start.
func TestNew_MountsInDevfs_Ignored(t *testing.T) {
	p := mustPlan(t, mounting(devMount,
		specs.Mount{Type: "tmpfs", Destination: "/dev/shm", Options: []string{"size=64m"}},
		specs.Mount{Type: "bind", Source: "/var/log/x", Destination: "/dev/termination-log"}))
	if len(p.Mounts) != 1 || len(p.Ignored) != 2 {
		t.Errorf("mounts %v, ignored %v", lines(p), p.Ignored)
	}
	// Where /dev is a folder of the image, they can be made.
	p = mustPlan(t, mounting(specs.Mount{Type: "tmpfs", Destination: "/dev/shm"}))
	if len(p.Mounts) != 1 {
		t.Errorf("mounts %v", lines(p))
	}
}

func TestNew_LinuxMounts(t *testing.T) {
	c := config()
	c.Linux = true
	p, err := New(mounting(
		specs.Mount{Type: "proc", Destination: "/proc"},
		specs.Mount{Type: "bind", Source: "/s", Destination: "/sys/x"},
		devMount,
		specs.Mount{Type: "bind", Source: "/s", Destination: "/data"}), c)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"linsysfs linsysfs /sys nosuid noexec", "linprocfs  /proc", "nullfs /s /sys/x", "devfs  /dev ruleset=4",
		"fdescfs fdescfs /dev/fd linrdlnk", "tmpfs tmpfs /dev/shm nosuid mode=1777", "nullfs /s /data"}
	if got := lines(p); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if r := p.DevRules(); len(r) != 1 || r[0].Pattern != "shm" || !r[0].Unhide {
		t.Errorf("rules %+v", r)
	}
	if !p.Linux || !slices.Equal(p.Modules, linuxModules) || p.param("linux") != "linux=new" || p.param("enforce_statfs") != "enforce_statfs=1" {
		t.Errorf("linux %v, modules %v, %s, %s", p.Linux, p.Modules, p.param("linux"), p.param("enforce_statfs"))
	}
}

// Without a devfs there is nothing to mount upon in /dev, and proc is not mounted
// twice.
func TestNew_LinuxMounts_OnlyWhatIsMissing(t *testing.T) {
	p := mustPlan(t, mounting(
		specs.Mount{Type: "linprocfs", Source: "linprocfs", Destination: "/proc"},
		specs.Mount{Type: "linsysfs", Source: "linsysfs", Destination: "/sys"},
		specs.Mount{Type: "proc", Destination: "/proc"}))
	if got := lines(p); len(got) != 2 || !slices.Equal(p.Ignored, []string{"mounts[2] (proc on /proc)"}) {
		t.Errorf("mounts %q, ignored %q", got, p.Ignored)
	}
}

func TestNew_LinuxByBrand(t *testing.T) {
	var asked []string
	c := config()
	c.Facts.Linux = func(p string) bool { asked = append(asked, p); return p == "/bin/busybox" }
	for _, test := range []struct {
		arg, cwd string
		env      []string
		want     bool
		asked    string
	}{
		{"/bin/busybox", "/", nil, true, "/bin/busybox"},
		{"./busybox", "/bin", nil, true, "/bin/busybox"},
		{"busybox", "/", []string{"PATH=/usr/bin:/bin"}, true, "/usr/bin/busybox /bin/busybox"},
		{"busybox", "/bin", []string{"PATH="}, true, "/bin/busybox"},
		{"/bin/sh", "/", nil, false, "/bin/sh"},
	} {
		asked = nil
		s := base()
		s.Process = &specs.Process{Args: []string{test.arg}, Cwd: test.cwd, Env: test.env}
		p, err := New(s, c)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(asked, " "); p.Linux != test.want || got != test.asked {
			t.Errorf("%s: linux %v, asked %q", test.arg, p.Linux, got)
		}
	}
}

// The shim's root mounts come as a snapshotter writes them.
func TestNewMount(t *testing.T) {
	m, err := NewMount(specs.Mount{Type: "zfs", Source: "zroot/1", Destination: "/", Options: []string{"rw"}})
	if err != nil || m.Type != "zfs" || m.Source != "zroot/1" || m.Target != "/" || len(m.Options) > 0 || m.Flags != 0 {
		t.Errorf("%+v, %v", m, err)
	}
	m, err = NewMount(specs.Mount{Type: "bind", Source: "/s", Destination: "/", Options: []string{"ro", "rbind"}})
	if err != nil || m.Type != "nullfs" || m.Flags != kernel.MountReadOnly {
		t.Errorf("%+v, %v", m, err)
	}
	m, err = NewMount(specs.Mount{Type: "devfs", Destination: "/dev"})
	if err != nil || m.Ruleset != 4 {
		t.Errorf("%+v, %v", m, err)
	}
	for _, bad := range []specs.Mount{
		{Type: "nullfs", Source: "relative", Destination: "/"},
		{Type: "devfs", Destination: "/dev", Options: []string{"rule=path pf unhide"}},
		{Type: "", Destination: "/"},
	} {
		if _, err := NewMount(bad); !errdefs.IsInvalidArgument(err) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

func TestNew_Devices(t *testing.T) {
	mode, bad := os.FileMode(0o600), os.FileMode(0o1666)
	devices := func(mounts []specs.Mount, d ...specs.FreeBSDDevice) *specs.Spec {
		s := mounting(mounts...)
		s.FreeBSD = &specs.FreeBSD{Devices: d}
		return s
	}
	dev := []specs.Mount{devMount}
	p := mustPlan(t, devices(dev, specs.FreeBSDDevice{Path: "usb/0.1.0", Mode: &mode}, specs.FreeBSDDevice{Path: "/dev/pf"}))
	var got []string
	for _, r := range p.DevRules() {
		s := r.Pattern
		if r.Mode != nil {
			s += " 0600"
		}
		got = append(got, s)
	}
	if !slices.Equal(got, []string{"usb", "usb/0.1.0 0600", "pf"}) || len(p.Devices) != 2 {
		t.Errorf("rules %q, devices %+v", got, p.Devices)
	}
	for path, word := range map[string]string{"": "name", "/dev/": "name", "/etc/passwd": "/dev", "../mem": "out of", "a/../../b": "out of",
		"da*": "pattern", strings.Repeat("d", 200): "longer", ".": "name"} {
		wantInvalid(t, devices(dev, specs.FreeBSDDevice{Path: path}), "freebsd.devices[0].path", word)
	}
	wantInvalid(t, devices(dev, specs.FreeBSDDevice{Path: "pf", Mode: &bad}), "freebsd.devices[0].mode")
	wantInvalid(t, devices(nil, specs.FreeBSDDevice{Path: "pf"}), "freebsd.devices", "pf", "devfs on /dev")
}
