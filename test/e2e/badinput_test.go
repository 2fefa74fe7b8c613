package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	apievents "github.com/containerd/containerd/api/events"
	tasks "github.com/containerd/containerd/api/services/tasks/v1"
	"github.com/containerd/containerd/api/types/runc/options"
	runtimeoptions "github.com/containerd/containerd/api/types/runtimeoptions/v1"
	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/errdefs"

	"jailshim/test/e2e/testbed"
)

// editSpec returns a change of a spec as it is in JSON.
func editSpec(t *testing.T, edit func(spec map[string]any)) func([]byte) []byte {
	t.Helper()
	return func(b []byte) []byte {
		var spec map[string]any
		if err := json.Unmarshal(b, &spec); err != nil {
			t.Fatal(err)
		}
		edit(spec)
		b, err := json.Marshal(spec)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
}

func process(spec map[string]any) map[string]any { return spec["process"].(map[string]any) }

// brokenSpecs are no JSON of a spec; what each is said to be is in the error.
var brokenSpecs = map[string]func(spec []byte) []byte{
	"empty":     func([]byte) []byte { return nil },
	"truncated": func(spec []byte) []byte { return spec[:len(spec)/2] },
	"no-json":   func([]byte) []byte { return []byte("hello") },
	"no-object": func([]byte) []byte { return []byte("[1,2]") },
	"wrong-type": func([]byte) []byte {
		return []byte(`{"ociVersion":"1.2.0","root":{"path":"rootfs"},"process":{"cwd":"/","args":"true"}}`)
	},
}

// TestE2E_BadInput_BrokenSpec_RefusedAndClean: a file that was edited by hand. Containerd
// finds it out when it has started the shim, which must go again.
func TestE2E_BadInput_BrokenSpec_RefusedAndClean(t *testing.T) {
	for name, spec := range brokenSpecs {
		t.Run(name, func(t *testing.T) {
			testbed.Require(t, testbed.OurShim) // containerd's stays
			expectRefused(t, space(t), "", testbed.RawSpec(false, spec))
		})
	}
}

// TestE2E_BadInput_IncompleteSpec_RefusedNamingIt: a client's bug: the answer says what
// is missing or wrong, and nothing is left.
func TestE2E_BadInput_IncompleteSpec_RefusedNamingIt(t *testing.T) {
	for names, edit := range map[string]func(spec map[string]any){
		"process": func(s map[string]any) { delete(s, "process") },
		"args":    func(s map[string]any) { process(s)["args"] = []string{} },
		"root":    func(s map[string]any) { delete(s, "root") },
		"cwd":     func(s map[string]any) { process(s)["cwd"] = "tmp" },
	} {
		t.Run(names, func(t *testing.T) {
			testbed.Require(t, testbed.OurShim) // containerd's panics at some
			s := space(t)
			c := s.New(t, testbed.RawSpec(true, editSpec(t, edit)))
			err := c.TryCreate()
			expectNames(t, "create", err, names)
			expectClass(t, "create", err, errdefs.ErrInvalidArgument)
			expectNothing(t, s, c)
		})
	}
}

// TestE2E_BadInput_Options_RefusedNamingIt: a misspelt option that is silently ignored
// is found out when it is too late.
func TestE2E_BadInput_Options_RefusedNamingIt(t *testing.T) {
	testbed.Require(t, testbed.OurShim) // these are our options
	body := func(toml string) any { return &runtimeoptions.Options{ConfigBody: []byte(toml)} }
	for name, tc := range map[string]struct {
		names   string // in the error
		options any
	}{
		"unknown-key":     {"no_such_option", body("no_such_option = true\n")},
		"wrong-type":      {"oci_runtime", body("oci_runtime = 5\n")},
		"no-toml":         {"options", body("{{{")},
		"missing-file":    {"/no/such/options.toml", &runtimeoptions.Options{ConfigPath: "/no/such/options.toml"}},
		"missing-runtime": {"/no/such/runtime", body("oci_runtime = '/no/such/runtime'\n")},
		"other-type":      {"TaskOOM", &apievents.TaskOOM{ContainerID: "x"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := space(t)
			c := s.New(t, testbed.RuntimeOptions(tc.options))
			err := c.TryCreate()
			expectNames(t, "create", err, tc.names)
			if name != "missing-runtime" { // an installation's fault, not the request's
				expectClass(t, "create", err, errdefs.ErrInvalidArgument)
			}
			expectNothing(t, s, c)
		})
	}
}

// TestE2E_Options_Known_Accepted: none, ours in a message or a file, and those that a
// client writes for containerd's own shim.
func TestE2E_Options_Known_Accepted(t *testing.T) {
	s := space(t)
	command, err := testbed.OCICommand()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]any{
		"none":        nil,
		"runc's":      &options.Options{BinaryName: command, NoNewKeyring: true},
		"runc's zero": &options.Options{},
	}
	if testbed.Runtime == testbed.OurRuntime {
		toml := "oci_runtime = '" + command + "'\n"
		file := filepath.Join(s.Dir, "options.toml")
		if err := os.WriteFile(file, []byte(toml), 0o644); err != nil {
			t.Fatal(err)
		}
		all["ours"] = &runtimeoptions.Options{ConfigBody: []byte(toml)}
		all["ours in a file"] = &runtimeoptions.Options{ConfigPath: file}
		all["ours, empty"] = &runtimeoptions.Options{}
	}
	for name, o := range all {
		var opts []testbed.ProcessOption
		if o != nil {
			opts = append(opts, testbed.RuntimeOptions(o))
		}
		c := s.Run(t, append(opts, testbed.Args("exit", "7"))...)
		if got := c.Exited(t); got != 7 {
			t.Errorf("with options %s: exit status %d, want 7", name, got)
		}
	}
}

// TestE2E_IDs_OddButValid_Work: containerd allows all of these; what is made of them
// (names of jails and cgroups, folders, sockets) must cope.
func TestE2E_IDs_OddButValid_Work(t *testing.T) {
	s := space(t)
	host := s.Run(t, testbed.ID("host"))
	for _, id := range []string{
		"1", "0", "4294967296", strings.Repeat("7", 76),
		"a.b.c", "1.2.3", "a-b_c.d", "A", "rootfs", "config.json", "init",
		strings.Repeat("n", 76), strings.Repeat("a.", 37) + "b",
	} {
		c := s.Run(t, testbed.ID(id))
		if got := c.RunExec(t, "x", "echo", id); got != id+"\n" {
			t.Errorf("exec in container %q: got output %q", id, got)
		}
		if got := host.RunExec(t, id, "echo", id); got != id+"\n" {
			t.Errorf("exec %q: got output %q", id, got)
		}
		c.Remove(t)
	}
}

// TestE2E_IDs_Invalid_RefusedByContainerd: these never reach a shim; that our tests
// know them is checked here.
func TestE2E_IDs_Invalid_RefusedByContainerd(t *testing.T) {
	s := space(t)
	c := s.Run(t)
	for _, id := range invalidIDs {
		_, err := s.Client.NewContainer(s.Ctx, id, containerd.WithNewSpec())
		expectClass(t, "container "+id, err, errdefs.ErrInvalidArgument)
		_, err = s.Client.TaskService().Exec(s.Ctx, &tasks.ExecProcessRequest{ContainerID: c.ID(), ExecID: id})
		expectClass(t, "exec "+id, err, errdefs.ErrInvalidArgument)
	}
}

// invalidIDs are names that containerd allows for nothing.
var invalidIDs = []string{
	"", ".", "..", "../x", "a/b", "/", "a b", "a..b", ".a", "a.", "-a", "_", "a\x00b", "a\n", "\u00e4",
	strings.Repeat("n", 77),
}
