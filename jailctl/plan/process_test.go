package plan

import (
	"bytes"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func TestNewProcess(t *testing.T) {
	umask := uint32(0o27)
	got, err := NewProcess(&specs.Process{
		Args: []string{"id", "-a"}, Env: []string{"A=", "B=c=d"}, Cwd: "/a/../b/", Terminal: true,
		ConsoleSize: &specs.Box{Height: 24, Width: 80},
		User:        specs.User{UID: 5, GID: 6, Umask: &umask, AdditionalGids: []uint32{7, 8}, Username: "five"},
		Rlimits: []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 1, Hard: ^uint64(0)}, {Type: "RLIMIT_RTTIME", Soft: 1, Hard: 1},
			{Type: "RLIMIT_AS", Soft: 2, Hard: 3}},
		NoNewPrivileges: true,
		OOMScoreAdj:     new(int),
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := &Process{
		Args: []string{"id", "-a"}, Env: []string{"A=", "B=c=d"}, Cwd: "/b", Terminal: true, Rows: 24, Cols: 80,
		UID: 5, GID: 6, Groups: []int{7, 8}, Umask: &umask, NoNewPrivs: true,
		Rlimits: []Rlimit{{"RLIMIT_NOFILE", 8, 1, ^uint64(0)}, {"RLIMIT_AS", 10, 2, 3}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// An exec keeps the umask of its container unless it says one: the specification
// has it per process, and clients leave it out for an exec.
// Clients append what replaces a setting, and getenv(3) finds the first.
func TestNewProcess_SettingTwice_TheLastCounts(t *testing.T) {
	env := []string{"PATH=/bin", "A=1", "B=", "A=2", "PATH=/sbin", "A=3=4"}
	p, err := NewProcess(&specs.Process{Args: []string{"true"}, Cwd: "/", Env: env}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"B=", "PATH=/sbin", "A=3=4"}; !slices.Equal(p.Env, want) {
		t.Errorf("got %q, want %q", p.Env, want)
	}
	if got, want := Env(p.Env, "C=1", "B=2"), []string{"PATH=/sbin", "A=3=4", "C=1", "B=2"}; !slices.Equal(got, want) {
		t.Errorf("with more: got %q, want %q", got, want)
	}
	if env[1] != "A=1" {
		t.Error("the caller's was changed")
	}
}

func TestNewProcess_UmaskOfContainer(t *testing.T) {
	umask := uint32(0o77)
	p, err := NewProcess(&specs.Process{Args: []string{"sh"}, Cwd: "/"}, &Plan{Process: Process{Umask: &umask}})
	if err != nil || p.Umask == nil || *p.Umask != umask {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestNewProcess_Errors(t *testing.T) {
	const none = 1<<32 - 1
	umask := uint32(0o1000)
	for _, test := range []struct {
		field  string
		change func(*specs.Process)
	}{
		{"process.args", func(p *specs.Process) { p.Args = nil }},
		{"process.args", func(p *specs.Process) { p.Args = []string{""} }},
		{"process.args[1]", func(p *specs.Process) { p.Args = []string{"a", "\x00"} }},
		{"process.cwd", func(p *specs.Process) { p.Cwd = "" }},
		{"process.cwd", func(p *specs.Process) { p.Cwd = "a" }},
		{"process.env[1]", func(p *specs.Process) { p.Env = []string{"A=1", "B"} }},
		{"process.env[0]", func(p *specs.Process) { p.Env = []string{"=1"} }},
		{"process.env[0]", func(p *specs.Process) { p.Env = []string{"A=\x00"} }},
		{"process.consoleSize", func(p *specs.Process) { p.Terminal, p.ConsoleSize = true, &specs.Box{Height: 65536} }},
		{"process.user.username", func(p *specs.Process) { p.User.Username = "www" }},
		{"process.user", func(p *specs.Process) { p.User.UID = none }},
		{"process.user.umask", func(p *specs.Process) { p.User.Umask = &umask }},
		{"process.user.additionalGids", func(p *specs.Process) { p.User.AdditionalGids = []uint32{none} }},
		{"process.user.additionalGids", func(p *specs.Process) { p.User.AdditionalGids = make([]uint32, 1024) }},
		{"process.rlimits[0]", func(p *specs.Process) { p.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_MOON"}} }},
		{"process.rlimits[0]", func(p *specs.Process) { p.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_CPU", Soft: 2, Hard: 1}} }},
		{"process.rlimits[1]", func(p *specs.Process) { p.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_AS"}, {Type: "RLIMIT_VMEM"}} }},
		{"process.commandLine", func(p *specs.Process) { p.CommandLine = "cmd" }},
	} {
		p := base().Process
		test.change(p)
		_, err := NewProcess(p, nil)
		if !errdefs.IsInvalidArgument(err) || !strings.HasPrefix(err.Error(), test.field+":") {
			t.Errorf("%s: got %v", test.field, err)
		}
	}
	if _, err := NewProcess(nil, nil); !errdefs.IsInvalidArgument(err) {
		t.Error(err)
	}
}

// A value of the environment may be a secret, and errors are logged.
func TestNewProcess_ErrorsHideValues(t *testing.T) {
	for _, env := range []string{"=secret", "PASSWORD=secret\x00"} {
		_, err := NewProcess(&specs.Process{Args: []string{"a"}, Cwd: "/", Env: []string{env}}, nil)
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", env, err)
		}
	}
}

func TestNew_Hooks(t *testing.T) {
	seconds := func(n int) *int { return &n }
	all := &specs.Hooks{
		Prestart:        []specs.Hook{{Path: "/h/1"}}, //nolint:staticcheck // deprecated, and still in use
		CreateRuntime:   []specs.Hook{{Path: "/h/2"}},
		CreateContainer: []specs.Hook{{Path: "/h/3", Timeout: seconds(3)}},
		StartContainer:  []specs.Hook{{Path: "/h/4"}},
		Poststart:       []specs.Hook{{Path: "/h/5"}},
		Poststop:        []specs.Hook{{Path: "/h/6"}},
	}
	p := mustPlan(t, with(func(s *specs.Spec) { s.Hooks = all }))
	var out bytes.Buffer
	if err := p.Explain(&out); err != nil || p.Hooks != all {
		t.Fatal(err)
	}
	for _, want := range []string{"prestart /h/1", "createRuntime /h/2", "createContainer /h/3 (at most 3 s)", "startContainer /h/4", "poststart /h/5", "poststop /h/6"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
	for _, test := range []struct {
		hook  specs.Hook
		field string
	}{
		{specs.Hook{Path: "relative"}, "hooks.poststop[0].path"},
		{specs.Hook{}, "hooks.poststop[0].path"},
		{specs.Hook{Path: "/h", Timeout: seconds(0)}, "hooks.poststop[0].timeout"},
		{specs.Hook{Path: "/h", Args: []string{"\x00"}}, "hooks.poststop[0].args[0]"},
		{specs.Hook{Path: "/h", Env: []string{"A"}}, "hooks.poststop[0].env[0]"},
	} {
		wantInvalid(t, with(func(s *specs.Spec) { s.Hooks = &specs.Hooks{Poststop: []specs.Hook{test.hook}} }), test.field)
	}
}

func TestNew_CommonErrors(t *testing.T) {
	for field, change := range map[string]func(*specs.Spec){
		"root.path":           func(s *specs.Spec) { s.Root = nil },
		"process":             func(s *specs.Spec) { s.Process = nil },
		"ociVersion":          func(s *specs.Spec) { s.Version = "2.0.0" },
		"windows":             func(s *specs.Spec) { s.Windows = &specs.Windows{} },
		"linux.netDevices":    func(s *specs.Spec) { s.Linux = &specs.Linux{NetDevices: map[string]specs.LinuxNetDevice{"em0": {}}} },
		"process.commandLine": func(s *specs.Spec) { s.Process.CommandLine = "x" },
		"domainname":          func(s *specs.Spec) { s.Domainname = strings.Repeat("d", 256) },
	} {
		wantInvalid(t, with(change), field)
	}
	if _, err := New(nil, config()); !errdefs.IsInvalidArgument(err) {
		t.Error(err)
	}
	c := config()
	c.ID = ""
	if _, err := New(base(), c); !errdefs.IsInvalidArgument(err) {
		t.Error(err)
	}
	c = config()
	c.Bundle = "relative"
	if _, err := New(base(), c); !errdefs.IsInvalidArgument(err) {
		t.Error(err)
	}
}
