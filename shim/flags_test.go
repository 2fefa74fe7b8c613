package shim

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseArgs(t *testing.T) {
	inv, err := parseArgs(strings.Fields("-namespace ns -address /run/c.sock -publish-binary /bin/containerd -id web -debug -bundle /b start"))
	if err != nil {
		t.Fatal(err)
	}
	want := invocation{debug: true, namespace: "ns", id: "web", bundle: "/b", address: "/run/c.sock", publishBinary: "/bin/containerd", action: "start"}
	if *inv != want {
		t.Errorf("got %+v, want %+v", *inv, want)
	}
}

func TestParseArgs_Refused(t *testing.T) {
	for args, names := range map[string]string{
		"-id web start":                "-namespace",
		"-namespace ns start":          "-id",
		"-namespace ns -id web stop":   "stop",
		"-namespace ns -id w start x":  "x",
		"-namespace ns -id web -bogus": "bogus",
	} {
		if _, err := parseArgs(strings.Fields(args)); err == nil || !strings.Contains(err.Error(), names) {
			t.Errorf("%q: error %v, want one that names %q", args, err, names)
		}
	}
}

func TestParseArgs_VersionNeedsNothing(t *testing.T) {
	for _, a := range []string{"-v", "-version", "-info"} {
		if _, err := parseArgs([]string{a}); err != nil {
			t.Errorf("%s: %v", a, err)
		}
	}
}

func TestGroup(t *testing.T) {
	for _, tc := range []struct {
		annotations map[string]string
		want        string
	}{
		{nil, "web"},
		{map[string]string{"io.containerd.jail.v2.group": ""}, "web"},
		{map[string]string{"io.kubernetes.cri.sandbox-id": "pod"}, "pod"},
		{map[string]string{"io.kubernetes.cri.sandbox-id": "pod", "io.containerd.runc.v2.group": "g"}, "g"},
		{map[string]string{"io.containerd.runc.v2.group": "g", "io.containerd.jail.v2.group": "j"}, "j"},
	} {
		if got := Group(tc.annotations, "web"); got != tc.want {
			t.Errorf("%v: group %q, want %q", tc.annotations, got, tc.want)
		}
	}
}

func TestBundleGroup(t *testing.T) {
	dir := t.TempDir()
	if got, err := bundleGroup(dir, "web"); err != nil || got != "web" {
		t.Errorf("bundle without config.json: %q, %v", got, err)
	}
	config := filepath.Join(dir, "config.json")
	if err := os.WriteFile(config, []byte(`{"annotations":{"io.containerd.jail.v2.group":"g"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := bundleGroup(dir, "web"); err != nil || got != "g" {
		t.Errorf("got %q, %v; want g", got, err)
	}
	if err := os.WriteFile(config, []byte(`{"annotations":`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := bundleGroup(dir, "web"); err == nil || !strings.Contains(err.Error(), "config.json") {
		t.Errorf("broken config.json: error %v, want one that names it", err)
	}
}
