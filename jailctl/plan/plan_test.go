package plan

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"jailshim/jailctl/kernel"
)

var update = flag.Bool("update", false, "write the golden plans anew")

// machine is a FreeBSD 15.1 with everything on and nothing Linux.
func machine() Facts {
	return Facts{Params: ParamMap(kernel.BuiltinParams()), Release: 1501501, Racct: true}
}

func config() Config {
	return Config{Namespace: "default", ID: "web1", Bundle: "/run/bundle", Facts: machine()}
}

// What clients really send must become the jail that their users expect; the
// golden files show every decision.
func TestNew_RealSpecs(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) < 9 {
		t.Fatalf("%d specifications, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			spec, extra, err := Decode(b)
			if err != nil {
				t.Fatal(err)
			}
			c := config()
			c.Extra = extra
			p, err := New(spec, c)
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			if err := p.Explain(&out); err != nil {
				t.Fatal(err)
			}
			golden := strings.TrimSuffix(file, ".json") + ".txt"
			if *update {
				if err := os.WriteFile(golden, out.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if out.String() != string(want) {
				t.Errorf("got:\n%s\nwant:\n%s", &out, want)
			}
		})
	}
}

// A plan is kept in the state of a container: reading it back must not change it.
func TestPlan_SurvivesJSON(t *testing.T) {
	for _, file := range []string{"nerdctl", "podman", "freebsd"} {
		p := planFile(t, file, config())
		b, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		var got Plan
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(&got, p) {
			t.Errorf("%s: got %+v, want %+v", file, &got, p)
		}
	}
}

func planFile(t *testing.T, name string, c Config) *Plan {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	spec, extra, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	c.Extra = extra
	p, err := New(spec, c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// base is the smallest specification.
func base() *specs.Spec {
	return &specs.Spec{
		Version: specs.Version,
		Process: &specs.Process{Args: []string{"/bin/sh"}, Cwd: "/"},
		Root:    &specs.Root{Path: "rootfs"},
	}
}

// with is base with changes.
func with(change func(*specs.Spec)) *specs.Spec {
	s := base()
	change(s)
	return s
}

func annotated(pairs ...string) *specs.Spec {
	s := base()
	s.Annotations = make(map[string]string)
	for i := 0; i < len(pairs); i += 2 {
		s.Annotations[pairs[i]] = pairs[i+1]
	}
	return s
}

func mustPlan(t *testing.T, s *specs.Spec) *Plan {
	t.Helper()
	p, err := New(s, config())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// param renders a parameter of a plan, "" if it isn't there.
func (p *Plan) param(name string) string {
	for _, param := range p.Params {
		if r := renderParam(param); r == name || strings.HasPrefix(r, name+"=") {
			return r
		}
		i := strings.LastIndexByte(name, '.') + 1
		if param.Name == name[:i]+"no"+name[i:] {
			return param.Name
		}
	}
	return ""
}

// On another system a plan is made with the parameters of FreeBSD 15.1, and names
// the modules that it would need.
func TestNew_WithoutFacts_NamesModules(t *testing.T) {
	c := config()
	c.Facts = Facts{}
	p, err := New(annotated("org.freebsd.jail.allow.mount.zfs", "true"), c)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(p.Modules, " "); got != "zfs" {
		t.Errorf("modules %q, want zfs", got)
	}
}

// A kernel without the module doesn't know its parameters; the plan must not
// refuse them.
func TestNew_ParameterOfModule_NamesModule(t *testing.T) {
	c := config()
	for _, name := range []string{"allow.mount.zfs", "allow.mount.nullfs", "linux.osrelease"} {
		delete(c.Facts.Params.(ParamMap), name)
	}
	p, err := New(annotated("org.freebsd.jail.allow.mount.zfs", "true", "org.freebsd.jail.allow.mount.nullfs", "1",
		"org.freebsd.jail.linux.osrelease", "5.15.0"), c)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(p.Modules, " "); got != "nullfs zfs linux64" {
		t.Errorf("modules %q, want nullfs zfs linux64", got)
	}
}

// A default of ours that an older kernel doesn't know must not fail the jail.
func TestNew_OldKernel_LeavesDefaultsOut(t *testing.T) {
	c := config()
	delete(c.Facts.Params.(ParamMap), "sysvmsg")
	p, err := New(base(), c)
	if err != nil {
		t.Fatal(err)
	}
	if p.param("sysvmsg") != "" || p.param("sysvsem") != "sysvsem=new" {
		t.Errorf("sysvmsg %q, sysvsem %q", p.param("sysvmsg"), p.param("sysvsem"))
	}
}

// Who says no capabilities under the OCI command expects what ocijail gives to all jails,
// and no jail can have more than its parent.
func TestNew_NoCapabilities_AsOcijail(t *testing.T) {
	const parent = "org.freebsd.parentJail"
	vnet := []string{"org.freebsd.jail.vnet", "new"}
	for _, test := range []struct {
		what         string
		namespace    string
		annotations  []string
		parent       *Parent
		chflags, raw string
		statfs       string
	}{
		{"on the host's network", "", nil, nil, "allow.chflags", "", "enforce_statfs=2"},
		{"in a VNET", "", vnet, nil, "allow.chflags", "allow.raw_sockets", "enforce_statfs=2"},
		{"unless it is said", "", append([]string{"org.freebsd.jail.allow.chflags", "false"}, vnet...), nil, "allow.nochflags", "allow.raw_sockets", "enforce_statfs=2"},
		{"under containerd", "default", vnet, nil, "", "", "enforce_statfs=2"},
		{"in a pod with a network", "", []string{parent, "pod"}, &Parent{Statfs: 1, VNET: true, Chflags: true, RawSockets: true}, "allow.chflags", "allow.raw_sockets", "enforce_statfs=2"},
		{"in a pod on the host's", "", []string{parent, "pod"}, &Parent{Chflags: true, RawSockets: true}, "allow.chflags", "", "enforce_statfs=2"},
		{"in a pod without either", "", []string{parent, "pod"}, &Parent{VNET: true}, "", "", "enforce_statfs=2"},
		{"in a pod that isn't there", "", []string{parent, "pod"}, nil, "", "", "enforce_statfs=2"},
		{"that mounts, in a pod that sees less", "", []string{parent, "pod", "org.freebsd.jail.allow.mount", "true"}, &Parent{Statfs: 2}, "", "", "enforce_statfs=2"},
		{"that mounts, in a pod that sees as much", "", []string{parent, "pod", "org.freebsd.jail.allow.mount", "true"}, &Parent{Statfs: 1}, "", "", "enforce_statfs=1"},
	} {
		c := config()
		c.Namespace = test.namespace
		c.Facts.Jail = func(name string) (Parent, bool) {
			if name != "pod" || test.parent == nil {
				return Parent{}, false
			}
			return *test.parent, true
		}
		p, err := New(annotated(test.annotations...), c)
		if err != nil {
			t.Errorf("%s: %v", test.what, err)
			continue
		}
		for name, want := range map[string]string{"allow.chflags": test.chflags, "allow.raw_sockets": test.raw, "enforce_statfs": test.statfs} {
			if got := p.param(name); got != want {
				t.Errorf("a container %s: %s: got %q, want %q", test.what, name, got, want)
			}
		}
	}
}

// The namespaces in podman's Linux specifications are its library's, and no wish.
func TestNew_NetworkNamespaceOfPodman_MeansNothing(t *testing.T) {
	for _, test := range []struct {
		annotations []string
		mode        NetworkMode
	}{
		{nil, NetworkPrivate},
		{[]string{"io.container.manager", "libpod"}, NetworkHost},
		{[]string{"io.container.manager", "libpod", "org.freebsd.jail.vnet", "new"}, NetworkPrivate},
		{[]string{"org.freebsd.parentJail", "pod"}, NetworkHost},
	} {
		if p := mustPlan(t, netSpec("", nil, test.annotations...)); p.Network.Mode != test.mode {
			t.Errorf("%q: network %+v, want mode %v", test.annotations, p.Network, test.mode)
		}
	}
}
