package plan

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func jailJSON(body string) []byte {
	return []byte(`{"ociVersion": "1.3.0", "process": {"user": {"uid": 0, "gid": 0}, "args": ["a"], "cwd": "/"}, "root": {"path": "/r"},
		"strange": 1, "freebsd": {"jail": {` + body + `}}}`)
}

func TestDecode_Extra(t *testing.T) {
	for _, test := range []struct {
		body        string
		jail, allow map[string]string
	}{
		{``, nil, nil},
		{`"vnet": "new", "ip4Addr": ["10.0.0.1"], "IP6": "inherit"`, nil, nil},
		{`"allow.mount.zfs": true, "devfs_ruleset": 4, "allow.chflags": false, "host.hostuuid": "x", "env": null`,
			map[string]string{"allow.mount.zfs": "true", "devfs_ruleset": "4", "allow.chflags": "false", "host.hostuuid": "x"}, nil},
		{`"ip4.addr": ["10.0.0.1", "10.0.0.2"]`, map[string]string{"ip4.addr": "10.0.0.1,10.0.0.2"}, nil},
		{`"allow": {"suser": false, "mlock": true, "sysvipc": true, "readMsgbuf": false}`, nil,
			map[string]string{"suser": "false", "sysvipc": "true", "readMsgbuf": "false"}},
		{`"allow": {"mount": ["zfs"]}, "allow": null`, nil, nil},
	} {
		_, extra, err := Decode(jailJSON(test.body))
		if err != nil || !maps.Equal(extra.Jail, test.jail) || !maps.Equal(extra.Allow, test.allow) {
			t.Errorf("%s: got %+v, %v", test.body, extra, err)
		}
	}
}

// What is decoded is what encoding/json makes of it.
func TestDecode_EveryPart_AsEncodingJSON(t *testing.T) {
	text := []byte(`{"ociVersion": "1.3.0", "hostname": "h", "domainname": "d", "annotations": {"a": "b"},
		"process": {"user": {"uid": 1, "gid": 2}, "args": ["a"], "cwd": "/", "capabilities": {"bounding": ["CAP_NET_RAW"]}},
		"root": {"path": "/r", "readonly": true}, "mounts": [{"destination": "/tmp", "type": "tmpfs"}],
		"hooks": {"poststop": [{"path": "/bin/true"}]}, "linux": {"namespaces": [{"type": "network"}]},
		"solaris": {"milestone": "m"}, "windows": {"layerFolders": ["l"]}, "vm": {"kernel": {"path": "/k"}},
		"zos": {"namespaces": [{"type": "pid"}]}, "freebsd": {"devices": [{"path": "null"}], "jail": {"vnet": "new"}}}`)
	want := new(specs.Spec)
	if err := json.Unmarshal(text, want); err != nil {
		t.Fatal(err)
	}
	for v, i := reflect.ValueOf(*want), 0; i < v.NumField(); i++ {
		if v.Field(i).IsZero() {
			t.Errorf("the test has nothing for %s", v.Type().Field(i).Name)
		}
	}
	got, _, err := Decode(text)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	got, _, err = Decode([]byte(`{"ociVersion": "1.3.0", "linux": null, "freebsd": null}`))
	if err != nil || !reflect.DeepEqual(got, &specs.Spec{Version: "1.3.0"}) {
		t.Errorf("parts that are null: got %+v, %v", got, err)
	}
}

// The two ways to say no differ in Go's type; both must reach the kernel.
func TestDecode_ExplicitFalse(t *testing.T) {
	spec, extra, err := Decode(jailJSON(`"allow": {"suser": false, "setHostname": false, "reservedPorts": true, "readMsgbuf": true}`))
	if err != nil {
		t.Fatal(err)
	}
	c := config()
	c.Extra = extra
	p, err := New(spec, c)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"allow.suser": "allow.nosuser", "allow.set_hostname": "allow.noset_hostname",
		"allow.reserved_ports": "allow.reserved_ports", "allow.read_msgbuf": "allow.read_msgbuf", "allow.mlock": ""} {
		if got := p.param(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestDecode_Errors(t *testing.T) {
	for body, word := range map[string]string{
		string(jailJSON(`"devfs_ruleset": {}`)):     "freebsd.jail.devfs_ruleset",
		string(jailJSON(`"ip4.addr": [1]`)):         "freebsd.jail.ip4.addr",
		string(jailJSON(`"vnet": true`)):            "vnet",
		`{"linux": {"cgroupsPath": 1}}`:             "linux",
		string(jailJSON(`"allow": {"mount": "x"}`)): "mount",
		`{`:        "",
		`{} {}`:    "after top-level",
		``:         "",
		`[]`:       "",
		`{"a":1}x`: "",
	} {
		_, _, err := Decode([]byte(body))
		if !errdefs.IsInvalidArgument(err) || !strings.Contains(err.Error(), word) {
			t.Errorf("%s: got %v, want %q in it", body, err, word)
		}
	}
}

// Keys that are no parameter come back by name, when the kernel's are known.
func TestNew_UnknownKeys(t *testing.T) {
	for body, word := range map[string]string{
		`"vnet.interface": "em0"`:         "freebsd.jail.vnet.interface",
		`"allow.everything": true`:        "freebsd.jail.allow.everything",
		`"allow": {"everything": true}`:   "freebsd.jail.allow.everything",
		`"allow": {"mount": ["nosuch"]}`:  "freebsd.jail.allow.mount",
		`"enforceStatfs": 7`:              "freebsd.jail.enforceStatfs",
		`"devfs_ruleset": "four"`:         "freebsd.jail.devfs_ruleset",
		`"sysvmsg": "shared"`:             "freebsd.jail.sysvmsg",
		`"allow": {"mount.zfs": "maybe"}`: "freebsd.jail.allow.mount.zfs",
	} {
		spec, extra, err := Decode(jailJSON(body))
		if err != nil {
			t.Errorf("%s: %v", body, err)
			continue
		}
		c := config()
		c.Extra = extra
		if _, err := New(spec, c); !errdefs.IsInvalidArgument(err) || !strings.Contains(err.Error(), word) {
			t.Errorf("%s: got %v, want %q in it", body, err, word)
		}
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	if _, _, err := Load(dir); !errdefs.IsNotFound(err) {
		t.Errorf("no file: %v", err)
	}
	path := filepath.Join(dir, "config.json")
	if err := os.WriteFile(path, jailJSON(`"devfs_ruleset": 5`), 0o600); err != nil {
		t.Fatal(err)
	}
	spec, extra, err := Load(dir)
	if err != nil || spec.Root.Path != "/r" || extra.Jail["devfs_ruleset"] != "5" {
		t.Errorf("%+v, %+v, %v", spec, extra, err)
	}
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Load(dir); !errdefs.IsInvalidArgument(err) || !strings.Contains(err.Error(), path) {
		t.Errorf("bad file: %v", err)
	}
}

// Whatever a specification says, it becomes a plan or an error of a class, and a
// plan can be explained.
func FuzzDecode(f *testing.F) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		f.Fatalf("%d specifications, %v", len(files), err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add(jailJSON(`"allow": {"suser": false}, "allow.mount.zfs": true`))
	f.Fuzz(func(t *testing.T, b []byte) {
		spec, extra, err := Decode(b)
		if err != nil {
			if !errdefs.IsInvalidArgument(err) {
				t.Errorf("class of %v", err)
			}
			return
		}
		c := config()
		c.Extra = extra
		p, err := New(spec, c)
		if err != nil {
			if !errdefs.IsInvalidArgument(err) {
				t.Errorf("class of %v", err)
			}
			return
		}
		if err := p.Explain(&strings.Builder{}); err != nil {
			t.Error(err)
		}
		for _, m := range p.Mounts {
			if !filepath.IsAbs(m.Target) || m.Target == "/" || strings.Contains(m.Target, "/../") {
				t.Errorf("target %q", m.Target)
			}
			if m.Type == "devfs" && (m.Ruleset == 0 || !m.has("ruleset")) {
				t.Errorf("a devfs without rules: %+v", m)
			}
		}
	})
}
