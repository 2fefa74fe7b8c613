package options

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	runcoptions "github.com/containerd/containerd/api/types/runc/options"
	runtimeoptions "github.com/containerd/containerd/api/types/runtimeoptions/v1"
	"github.com/containerd/errdefs"
	"github.com/pelletier/go-toml/v2"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

func encode(tb testing.TB, url string, m proto.Message) *anypb.Any {
	tb.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		tb.Fatal(err)
	}
	return &anypb.Any{TypeUrl: url, Value: b}
}

func body(tb testing.TB, toml string) *anypb.Any {
	tb.Helper()
	return encode(tb, runtimeOptionsURL, &runtimeoptions.Options{TypeUrl: "x", ConfigBody: []byte(toml)})
}

func TestDecode(t *testing.T) {
	file := filepath.Join(t.TempDir(), "jail.toml")
	if err := os.WriteFile(file, []byte("systemd_cgroup = true\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		in   *anypb.Any
		want Options
	}{
		"none":       {nil, Options{}},
		"empty":      {&anypb.Any{}, Options{}},
		"empty body": {body(t, ""), Options{}},
		"body": {
			body(t, "oci_runtime = '/usr/local/bin/ocijail'\noci_root = '/var/run/oci'\nno_pivot_root = true\nno_new_keyring = true"),
			Options{OCIRuntime: "/usr/local/bin/ocijail", OCIRoot: "/var/run/oci", NoPivotRoot: true, NoNewKeyring: true},
		},
		"path": {
			encode(t, runtimeOptionsURL, &runtimeoptions.Options{ConfigPath: file}),
			Options{SystemdCgroup: true},
		},
		"body before path": {
			encode(t, runtimeOptionsURL, &runtimeoptions.Options{ConfigPath: "/no/such", ConfigBody: []byte("oci_runtime = 'crun'")}),
			Options{OCIRuntime: "crun"},
		},
		"long URL": {
			encode(t, "types.containerd.io/"+runtimeOptionsURL, &runtimeoptions.Options{ConfigBody: []byte("oci_runtime = 'crun'")}),
			Options{OCIRuntime: "crun"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, ignored, err := Decode(tc.in)
			if err != nil || got != tc.want || len(ignored) != 0 {
				t.Errorf("got %+v, %q, %v; want %+v", got, ignored, err, tc.want)
			}
		})
	}
}

// A configuration that was written for the runc shim must go on working, and
// what it can't do must be said.
func TestDecode_RuncOptions(t *testing.T) {
	got, ignored, err := Decode(encode(t, runcOptionsURL, &runcoptions.Options{
		BinaryName: "crun", Root: "/run/crun", SystemdCgroup: true, NoPivotRoot: true, NoNewKeyring: true,
		ShimCgroup: "/x", IoUid: 7, CriuWorkPath: "/y",
	}))
	want := Options{OCIRuntime: "crun", OCIRoot: "/run/crun", SystemdCgroup: true, NoPivotRoot: true, NoNewKeyring: true}
	if err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	if strings.Join(ignored, " ") != "shim_cgroup io_uid criu_work_path" {
		t.Errorf("ignored %q", ignored)
	}
}

func TestDecode_Refused(t *testing.T) {
	long := filepath.Join(t.TempDir(), "long.toml")
	if err := os.WriteFile(long, make([]byte, maxFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		in    *anypb.Any
		names string
	}{
		"unknown key":      {body(t, "devfs_rulset = 4"), "devfs_rulset"},
		"key in a table":   {body(t, "[a]\nb = 1"), "a"},
		"wrong type":       {body(t, "oci_runtime = 4"), "oci_runtime"},
		"broken TOML":      {body(t, "oci_runtime ="), "config_body:1"},
		"relative root":    {body(t, "oci_root = 'run'"), "oci_root"},
		"relative runtime": {body(t, "oci_runtime = 'bin/runc'"), "oci_runtime"},
		"unknown type":     {&anypb.Any{TypeUrl: "nosuch.Options"}, "nosuch.Options"},
		"no type":          {&anypb.Any{Value: []byte("x")}, "type"},
		"broken message":   {&anypb.Any{TypeUrl: runtimeOptionsURL, Value: []byte("\xff")}, runtimeOptionsURL},
		"broken runc":      {&anypb.Any{TypeUrl: runcOptionsURL, Value: []byte("\xff")}, runcOptionsURL},
		"missing file":     {encode(t, runtimeOptionsURL, &runtimeoptions.Options{ConfigPath: "/no/such.toml"}), "/no/such.toml"},
		"long file":        {encode(t, runtimeOptionsURL, &runtimeoptions.Options{ConfigPath: long}), "long.toml"},
	} {
		t.Run(name, func(t *testing.T) {
			got, _, err := Decode(tc.in)
			if !errdefs.IsInvalidArgument(err) || !strings.Contains(err.Error(), tc.names) {
				t.Errorf("got %+v, %v; want InvalidArgument naming %q", got, err, tc.names)
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(runtimeOptionsURL, []byte(nil))
	f.Add(runtimeOptionsURL, body(f, "oci_runtime = 'runc'").Value)
	f.Add(runtimeOptionsURL, body(f, "x = [[1], {a = 2}]").Value)
	f.Add(runcOptionsURL, encode(f, runcOptionsURL, &runcoptions.Options{BinaryName: "runc"}).Value)
	f.Add("", []byte("x"))
	f.Fuzz(func(t *testing.T, url string, value []byte) {
		if strings.HasSuffix(url, runtimeOptionsURL) {
			var m runtimeoptions.Options
			if proto.Unmarshal(value, &m) == nil && m.ConfigPath != "" {
				return // would read a file of the host
			}
		}
		o, _, err := Decode(&anypb.Any{TypeUrl: url, Value: value})
		if err != nil && o != (Options{}) {
			t.Fatalf("options %+v with error %v", o, err)
		}
		if err == nil && o.validate() != nil {
			t.Fatalf("accepted %+v: %v", o, o.validate())
		}
	})
}

// FuzzParseTOML checks that what is accepted means the same when it is written
// out and read again.
func FuzzParseTOML(f *testing.F) {
	f.Add([]byte("oci_runtime = '/bin/runc'\nsystemd_cgroup = true"))
	f.Add([]byte("oci_root = \"\\u0041\""))
	f.Add([]byte("[oci_runtime]"))
	f.Fuzz(func(t *testing.T, in []byte) {
		first, err := parseTOML(in, "fuzz")
		if err != nil {
			return
		}
		out, err := toml.Marshal(first)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := parseTOML(out, "fuzz"); err != nil || again != first {
			t.Fatalf("read %+v, wrote %q, read %+v, %v", first, out, again, err)
		}
	})
}
