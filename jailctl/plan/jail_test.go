package plan

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"jailshim/jailctl/kernel"
)

// samples are a good and a bad value for each kind of parameter, with what the
// error says.
var samples = map[kernel.Kind]struct{ good, shown, bad, allowed string }{
	kernel.KindBool:     {"1", "", "yes", "true, false, 1 or 0"},
	kernel.KindInt:      {"1", "=1", "one", "a number from"},
	kernel.KindJailsys:  {"inherit", "=inherit", "true", "new"},
	kernel.KindString:   {"1.2.3-x", "=1.2.3-x", "a\x00b", "NUL"},
	kernel.KindULong:    {"7", "=7", "-1", "a number from 0"},
	kernel.KindIPv4:     {"10.0.0.1, 10.0.0.2", "=10.0.0.1,10.0.0.2", "10.0.0.256", "no IPv4 address"},
	kernel.KindIPv6:     {"fd00::1", "=fd00::1", "10.0.0.1", "no IPv6 address"},
	kernel.KindKeyValue: {"a=b", "=a=b", "\x00", "NUL"},
}

// Users set any parameter that their kernel has by annotation; what they can't
// set or misspell must come back by name.
func TestNew_EveryParameterByAnnotation(t *testing.T) {
	known := machine().Params.All()
	if len(known) < 60 {
		t.Fatalf("%d parameters", len(known))
	}
	for _, name := range slices.Sorted(maps.Keys(known)) {
		key, info := "org.freebsd.jail."+name, known[name]
		if ownParams[name] != "" || info.ReadOnly {
			wantInvalid(t, annotated(key, "1"), "annotation "+key, name)
			continue
		}
		sample := samples[info.Kind]
		p := mustPlan(t, annotated(key, sample.good))
		if got, want := p.param(name), name+sample.shown; got != want {
			t.Errorf("%s=%s: got %q, want %q", name, sample.good, got, want)
		}
		wantInvalid(t, annotated(key, sample.bad), "annotation "+key, sample.allowed)
	}
}

func TestNew_EveryParameterInObject(t *testing.T) {
	for name, info := range machine().Params.All() {
		c := config()
		c.Extra.Jail = map[string]string{name: samples[info.Kind].good}
		p, err := New(base(), c)
		if ownParams[name] != "" || info.ReadOnly {
			if !errdefs.IsInvalidArgument(err) || !strings.Contains(err.Error(), "freebsd.jail."+name) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if got, want := p.param(name), name+samples[info.Kind].shown; got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

// wantInvalid expects an error of the class InvalidArgument that has all words.
func wantInvalid(t *testing.T, s *specs.Spec, words ...string) {
	t.Helper()
	_, err := New(s, config())
	if !errdefs.IsInvalidArgument(err) {
		t.Errorf("got %v, want an invalid argument about %v", err, words)
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("got %q, want %q in it", err, w)
		}
	}
}

func TestNew_ParameterErrors(t *testing.T) {
	const p = "org.freebsd.jail."
	for _, test := range []struct {
		name, value string
		words       []string
	}{
		{"allow.mlok", "true", []string{"no jail parameter", "allow.mlok"}},
		{"allow.rawsockets", "true", []string{"is it allow.raw_sockets"}},
		{"vnet", "disable", []string{"new or inherit is allowed"}},
		{"vnet", "true", []string{"new or inherit is allowed"}},
		{"ip4", "no", []string{"new, inherit or disable is allowed"}},
		{"enforce_statfs", "3", []string{"from 0 to 2"}},
		{"securelevel", "4", []string{"from -1 to 3"}},
		{"devfs_ruleset", "70000", []string{"from 0 to 65535"}},
		{"children.max", "-1", []string{"from 0 to 999999"}},
		{"children.cur", "0", []string{"read-only"}},
		{"parent", "1", []string{"org.freebsd.parentJail"}},
		{"name", "x", []string{"name comes from"}},
		{"path", "/", []string{"root.path"}},
		{"persist", "false", []string{"stays until"}},
		{"jid", "7", []string{"the kernel numbers jails"}},
		{"ip4.addr", "", []string{"no IPv4 address"}},
		{"ip4.addr", "0.0.0.0", []string{"no address of a host"}},
		{"ip4.addr", "10.0.0.1,10.0.0.1", []string{"twice"}},
		{"ip6.addr", "fe80::1%em0", []string{"no IPv6 address"}},
		{"linux.osrelease", "five", []string{"5.15.0"}},
		{"host.hostname", strings.Repeat("h", 256), []string{"longer than 255 bytes"}},
		{"vnet.interface", "em0", []string{"vnetInterfaces", "jail(8)"}},
		{"exec.prestart", "x", []string{"jail(8)"}},
	} {
		wantInvalid(t, annotated(p+test.name, test.value), append(test.words, p+test.name)...)
	}
}

// A parameter that another release has is not called unknown.
func TestNew_ParameterOfOtherRelease(t *testing.T) {
	c := config()
	delete(c.Facts.Params.(ParamMap), "allow.settime")
	c.Facts.Release = 1400000
	_, err := New(annotated("org.freebsd.jail.allow.settime", "true"), c)
	if !errdefs.IsInvalidArgument(err) || !strings.Contains(err.Error(), "1400000") {
		t.Error(err)
	}
}

func TestNew_KeysOfMeta(t *testing.T) {
	if got := mustPlan(t, annotated("org.freebsd.jail.meta.owner", "me")).param("meta.owner"); got != "meta.owner=me" {
		t.Errorf("got %q", got)
	}
	wantInvalid(t, annotated("org.freebsd.jail.meta.", "me"), "no jail parameter")
	wantInvalid(t, annotated("org.freebsd.jail.meta.a\x00b", "me"), "no jail parameter")
}

func TestNew_NegativeNumber(t *testing.T) {
	if got := mustPlan(t, annotated("org.freebsd.jail.securelevel", "-1")).param("securelevel"); got != "securelevel=-1" {
		t.Errorf("got %q", got)
	}
}

// The annotation is what the user typed; the object what some tool wrote.
func TestNew_AnnotationWins(t *testing.T) {
	two := 2
	s := annotated("org.freebsd.jail.enforce_statfs", "0", "org.freebsd.jail.allow.mlock", "false", "org.freebsd.parentJail", "a.b",
		"org.freebsd.jail.host.hostname", "typed")
	s.Hostname = "written"
	s.FreeBSD = &specs.FreeBSD{Jail: &specs.FreeBSDJail{Parent: "c", EnforceStatfs: &two, Allow: &specs.FreeBSDJailAllow{Mlock: true}}}
	p := mustPlan(t, s)
	for name, want := range map[string]string{
		"enforce_statfs": "enforce_statfs=0", "allow.mlock": "allow.nomlock", "host.hostname": "host.hostname=typed", "name": "name=a.b.default-web1",
	} {
		if got := p.param(name); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if p.Name != "a.b.default-web1" || p.Parent != "a.b" {
		t.Errorf("name %s, parent %s", p.Name, p.Parent)
	}
}

func TestNew_SameParameterTwice(t *testing.T) {
	two := 2
	c := config()
	c.Extra.Jail = map[string]string{"enforce_statfs": "1"}
	_, err := New(with(func(s *specs.Spec) {
		s.FreeBSD = &specs.FreeBSD{Jail: &specs.FreeBSDJail{EnforceStatfs: &two}}
	}), c)
	if !errdefs.IsInvalidArgument(err) || !strings.Contains(err.Error(), "freebsd.jail.enforceStatfs already sets") {
		t.Error(err)
	}
}

func TestNew_Parent_BadNames(t *testing.T) {
	for _, name := range []string{"a..b", ".a", "a:b", strings.Repeat("p", 256)} {
		wantInvalid(t, annotated("org.freebsd.parentJail", name), "org.freebsd.parentJail")
	}
	wantInvalid(t, annotated("org.freebsd.parentJail", strings.Repeat("p", 250)), "the jail's name")
}

func TestNew_HostNames(t *testing.T) {
	uts := &specs.Linux{Namespaces: []specs.LinuxNamespace{{Type: specs.UTSNamespace}}}
	noUTS := &specs.Linux{Namespaces: []specs.LinuxNamespace{{Type: specs.PIDNamespace}}}
	for _, test := range []struct {
		what   string
		spec   *specs.Spec
		want   string
		shared bool
	}{
		{"nothing said", base(), "host.hostname=web1", false},
		{"hostname", with(func(s *specs.Spec) { s.Hostname = "h"; s.Linux = noUTS }), "host.hostname=h", false},
		{"CRI", with(func(s *specs.Spec) { s.Process.Env = []string{"HOSTNAME=pod"}; s.Linux = uts }), "host.hostname=pod", false},
		{"nerdctl --uts host", with(func(s *specs.Spec) { s.Process.Env = []string{"HOSTNAME=pod"}; s.Linux = noUTS }), "", true},
		{"host inherit", with(func(s *specs.Spec) {
			s.FreeBSD = &specs.FreeBSD{Jail: &specs.FreeBSDJail{Host: specs.FreeBSDShareInherit}}
		}), "", true},
		{"annotation inherit", with(func(s *specs.Spec) {
			s.Hostname, s.Annotations = "h", map[string]string{"org.freebsd.jail.host": "inherit"}
		}), "", true},
	} {
		p := mustPlan(t, test.spec)
		host := map[bool]string{false: "host=new", true: "host=inherit"}[test.shared]
		if got := p.param("host.hostname"); got != test.want || p.param("host") != host {
			t.Errorf("%s: got %q and %q", test.what, got, p.param("host"))
		}
	}
	wantInvalid(t, with(func(s *specs.Spec) {
		s.Hostname, s.FreeBSD = "h", &specs.FreeBSD{Jail: &specs.FreeBSDJail{Host: specs.FreeBSDShareInherit}}
	}), "hostname", "freebsd.jail.host")
	c := config()
	c.ID = strings.Repeat("f", 64)
	if p, err := New(base(), c); err != nil || p.param("host.hostname") != "host.hostname="+strings.Repeat("f", 63) {
		t.Errorf("long id: %v", err)
	}
}

func TestNew_EnforceStatfs(t *testing.T) {
	for _, test := range []struct {
		spec *specs.Spec
		want string
	}{
		{base(), "2"},
		{annotated("org.freebsd.jail.allow.mount.tmpfs", "true"), "1"},
		{annotated("org.freebsd.jail.allow.mount", "true"), "1"},
		{annotated("org.freebsd.jail.allow.mount.tmpfs", "false"), "2"},
		{annotated("org.freebsd.jail.allow.mount.tmpfs", "true", "org.freebsd.jail.enforce_statfs", "2"), "2"},
	} {
		if got := mustPlan(t, test.spec).param("enforce_statfs"); got != "enforce_statfs="+test.want {
			t.Errorf("%v: got %s, want %s", test.spec.Annotations, got, test.want)
		}
	}
	p := mustPlan(t, annotated("org.freebsd.jail.allow.mount.tmpfs", "true", "org.freebsd.jail.allow.mount", "false"))
	if got := p.param("allow.mount"); got != "allow.nomount" {
		t.Errorf("allow.mount false: got %q", got)
	}
}

// sysvmsg and its like win over allow.sysvipc in the kernel, so they must not be
// there by default when the user speaks of that.
func TestNew_SysVIPC(t *testing.T) {
	if got := mustPlan(t, annotated("org.freebsd.jail.allow.sysvipc", "true")).param("sysvshm"); got != "" {
		t.Errorf("got %q", got)
	}
}

func TestNew_Capabilities(t *testing.T) {
	caps := func(bounding ...string) *specs.Spec {
		return with(func(s *specs.Spec) {
			s.Process.Capabilities = &specs.LinuxCapabilities{Bounding: bounding}
			s.Linux = &specs.Linux{Namespaces: []specs.LinuxNamespace{{Type: specs.NetworkNamespace}}}
		})
	}
	p := mustPlan(t, caps("CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_SYS_TIME"))
	if p.param("allow.raw_sockets") != "allow.raw_sockets" || p.param("allow.mlock") != "allow.mlock" || p.param("allow.settime") != "" {
		t.Errorf("own network: %v", p.Params)
	}
	s := caps("CAP_NET_RAW")
	s.Annotations = map[string]string{"org.freebsd.jail.allow.raw_sockets": "false"}
	if got := mustPlan(t, s).param("allow.raw_sockets"); got != "allow.noraw_sockets" {
		t.Errorf("annotation false: %q", got)
	}
	s = caps("CAP_NET_RAW")
	s.Linux = nil
	if got := mustPlan(t, s).param("allow.raw_sockets"); got != "" {
		t.Errorf("host network: %q", got)
	}
}
