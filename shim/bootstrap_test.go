package shim

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	bootapi "github.com/containerd/containerd/api/runtime/bootstrap/v1"
	runtimeoptions "github.com/containerd/containerd/api/types/runtimeoptions/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

func marshal(tb testing.TB, m proto.Message) []byte {
	tb.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func params(tb testing.TB) []byte {
	tb.Helper()
	dir := "/run/c/s"
	return marshal(tb, &bootapi.BootstrapParams{
		InstanceID:             "web",
		Namespace:              "default",
		LogLevel:               bootapi.LogLevel_LOG_LEVEL_DEBUG,
		ContainerdTtrpcAddress: "/run/c.sock.ttrpc",
		ContainerdGrpcAddress:  "/run/c.sock",
		SocketDir:              &dir,
	})
}

// legacy is what containerd 2.0 to 2.2 write: the options alone.
func legacy(tb testing.TB) []byte {
	tb.Helper()
	return marshal(tb, &anypb.Any{
		TypeUrl: "runtimeoptions.v1.Options",
		Value:   marshal(tb, &runtimeoptions.Options{ConfigPath: "/etc/x.toml"}),
	})
}

func TestReadBootstrap(t *testing.T) {
	full := bootstrap{ttrpcAddress: "/run/c.sock.ttrpc", grpcAddress: "/run/c.sock", socketDir: "/run/c/s", debug: true}
	for _, tc := range []struct {
		name string
		in   []byte
		id   string
		want bootstrap
	}{
		{"since 2.3", params(t), "web", full},
		{"before 2.3, with options", legacy(t), "web", bootstrap{}},
		{"before 2.3, without", nil, "web", bootstrap{}},
		// The options decode as parameters of a container that is named like
		// their type; only the id tells.
		{"of another container", params(t), "db", bootstrap{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := readBootstrap(bytes.NewReader(tc.in), tc.id, "default")
			if err != nil {
				t.Fatal(err)
			}
			if *got != tc.want {
				t.Errorf("got %+v, want %+v", *got, tc.want)
			}
		})
	}
}

func TestReadBootstrap_BadInput_Error(t *testing.T) {
	for name, in := range map[string]string{
		"not protobuf": "\xff\xff\xff",
		"too long":     strings.Repeat("\x00", maxBootstrap+1),
	} {
		if got, err := readBootstrap(strings.NewReader(in), "web", "default"); err == nil {
			t.Errorf("%s: got %+v and no error", name, got)
		}
	}
}

// containerd 2.2 reads nothing but this form.
func TestReply_IsJSONOfVersion3(t *testing.T) {
	b, err := socketAddress("/run/s/abc").reply()
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if got["version"] != 3.0 || got["address"] != "unix:///run/s/abc" || got["protocol"] != "ttrpc" {
		t.Errorf("reply %s", b)
	}
	// Newer daemons try protobuf first, and must not take this for it.
	if err := proto.Unmarshal(b, &bootapi.BootstrapResult{}); err == nil {
		t.Error("the reply also decodes as protobuf")
	}
}

func FuzzParseBootstrap(f *testing.F) {
	f.Add(params(f))
	f.Add(legacy(f))
	f.Add([]byte(nil))
	f.Add([]byte("\xff"))
	f.Fuzz(func(t *testing.T, in []byte) {
		got, err := parseBootstrap(in, "web", "default")
		if (got == nil) == (err == nil) {
			t.Fatalf("result %v with error %v", got, err)
		}
	})
}
