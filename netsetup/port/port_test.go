package port

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
)

func TestParse_AndFormat(t *testing.T) {
	host4, host6 := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("::1")
	for text, want := range map[string][]Mapping{
		"":                               nil,
		"8080:80/tcp":                    {{HostPort: 8080, ContainerPort: 80, Count: 1, Protocol: TCP}},
		"8080:80/tcp,8080:80/udp":        {{HostPort: 8080, ContainerPort: 80, Count: 1, Protocol: TCP}, {HostPort: 8080, ContainerPort: 80, Count: 1, Protocol: UDP}},
		"192.0.2.1:1-65535:1-65535/sctp": {{HostIP: host4, HostPort: 1, ContainerPort: 1, Count: 65535, Protocol: SCTP}},
		"[::1]:53:53/udp":                {{HostIP: host6, HostPort: 53, ContainerPort: 53, Count: 1, Protocol: UDP}},
		"8080-8090:80-90/tcp":            {{HostPort: 8080, ContainerPort: 80, Count: 11, Protocol: TCP}},
	} {
		got, err := Parse(text)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %+v, %v; want %+v", text, got, err, want)
		}
		if back := Format(got); back != text {
			t.Errorf("%q comes back as %q", text, back)
		}
	}
	got, err := Parse(" 1:2 , 3:4/UDP ")
	if err != nil || Format(got) != "1:2/tcp,3:4/udp" {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestParse_Refuses(t *testing.T) {
	for text, want := range map[string]string{
		"80":                      "the host's port is missing",
		"80/tcp":                  "the host's port is missing",
		"0:80":                    `"0" is no port`,
		"65536:80":                `"65536" is no port`,
		"+8:80":                   `"+8" is no port`,
		"080:80":                  `"080" is no port`,
		"a:80":                    `"a" is no port`,
		"80:":                     `"" is no port`,
		"80-79:1-2":               `"80-79" is no range`,
		"80-82:80-81":             "3 ports of the host stand against 2",
		"80:80/icmp":              `"icmp" is none of tcp`,
		"::1:80:80":               "in brackets",
		"[192.0.2.1]:80:80":       "without brackets",
		"host:80:80":              `"host" is no address`,
		"0.0.0.0:80:80":           "means every address",
		"[::]:80:80":              "means every address",
		"[fe80::1%em0]:80:80":     "cannot be",
		"[::ffff:192.0.2.1]:80:1": "cannot be",
		"80:80,,":                 "the host's port is missing",
		"80:80,80:81":             "both want port 80/tcp",
		"80-90:80-90,85:1":        "both want port 85/tcp",
		"192.0.2.1:80:80,80:81":   "both want port 80/tcp",
	} {
		_, err := Parse(text)
		if !errors.Is(err, errdefs.ErrInvalidArgument) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("8080:80/tcp,[::1]:53-54:53-54/udp")
	f.Fuzz(func(t *testing.T, text string) {
		list, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(Format(list))
		if err != nil || !slices.Equal(list, again) {
			t.Errorf("%q is %v, then %v, %v", text, list, again, err)
		}
	})
}

func TestParseNerdctl(t *testing.T) {
	for text, want := range map[string]string{
		"":   "",
		"{}": "",
		"[]": "",
		`[{"HostPort":8080,"ContainerPort":80,"Protocol":"tcp","HostIP":"0.0.0.0"}]`:                                       "8080:80/tcp",
		`{"portMappings":[{"HostPort":8080,"ContainerPort":80,"Protocol":"udp","HostIP":"192.0.2.1"}]}`:                    "192.0.2.1:8080:80/udp",
		`[{"HostPort":1,"ContainerPort":80,"Protocol":"tcp"},{"HostPort":2,"ContainerPort":81,"Protocol":"tcp"}]`:          "1-2:80-81/tcp",
		`[{"HostPort":1,"ContainerPort":80,"Protocol":"tcp"},{"HostPort":3,"ContainerPort":81,"Protocol":"","HostIP":""}]`: "1:80/tcp,3:81/tcp",
		`[{"HostPort":1,"ContainerPort":80,"Protocol":"tcp","HostIP":"::"}]`:                                               "1:80/tcp",
	} {
		got, err := ParseNerdctl(text)
		if err != nil || Format(got) != want {
			t.Errorf("%s: got %v, %v; want %s", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"x": "ports that nerdctl recorded",
		`[{"HostPort":70000,"ContainerPort":80}]`:                               "from 1 to 65535",
		`[{"HostPort":-1,"ContainerPort":80}]`:                                  "from 1 to 65535",
		`[{"HostPort":1,"ContainerPort":80,"HostIP":"x"}]`:                      "no address",
		`[{"HostPort":1,"ContainerPort":80,"Protocol":"icmp"}]`:                 "none of tcp",
		`[{"HostPort":1,"ContainerPort":80},{"HostPort":1,"ContainerPort":81}]`: "both want",
	} {
		if _, err := ParseNerdctl(text); !errors.Is(err, errdefs.ErrInvalidArgument) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}

func parse(t *testing.T, text string) []Mapping {
	t.Helper()
	list, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestRegistry(t *testing.T) {
	dir := t.TempDir()
	r, err := OpenRegistry(dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	for range 2 {
		if err := r.Claim(ctx, "a", parse(t, "8080-8089:80-89,53:53/udp")); err != nil {
			t.Fatal(err)
		}
	}
	other, err := OpenRegistry(dir)
	if err != nil {
		t.Fatal(err)
	}
	err = other.Claim(ctx, "b", parse(t, "192.0.2.1:8085:80"))
	if !errors.Is(err, errdefs.ErrAlreadyExists) || !strings.Contains(err.Error(), `8085/tcp of the host is published by "a"`) {
		t.Errorf("taken: %v", err)
	}
	if err := other.Claim(ctx, "b", parse(t, "8085:80/udp,8090:80")); err != nil {
		t.Errorf("free: %v", err)
	}
	if err := r.Claim(ctx, "a", parse(t, "1:1")); err != nil {
		t.Fatal(err)
	}
	if err := other.Claim(ctx, "c", parse(t, "8085:80")); err != nil {
		t.Errorf("replaced: %v", err)
	}
	swept, err := r.Sweep(ctx, func(owner string) bool { return owner != "b" })
	if err != nil || len(swept) != 1 || swept[0].Owner != "b" {
		t.Errorf("swept %v, %v", swept, err)
	}
	if err := errors.Join(r.Release(ctx, "c"), r.Release(ctx, "c")); err != nil {
		t.Error(err)
	}
	list, err := r.List(ctx)
	if err != nil || len(list) != 1 || list[0].Owner != "a" || Format(list[0].Ports) != "1:1/tcp" {
		t.Errorf("left %v, %v", list, err)
	}
}

// A port that a process has must not be taken from it.
func TestCheckHost(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := netip.MustParseAddrPort(l.Addr().String())
	u, err := net.ListenPacket("udp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	for _, m := range []Mapping{
		{HostIP: taken.Addr(), HostPort: taken.Port(), ContainerPort: 1, Count: 1, Protocol: TCP},
		{HostPort: uint16(u.LocalAddr().(*net.UDPAddr).Port), ContainerPort: 1, Count: 1, Protocol: UDP},
	} {
		if err := CheckHost(context.Background(), []Mapping{m}); !errors.Is(err, errdefs.ErrAlreadyExists) {
			t.Errorf("%s: %v", m, err)
		}
	}
	l.Close()
	m := Mapping{HostIP: taken.Addr(), HostPort: taken.Port(), ContainerPort: 1, Count: 1, Protocol: TCP}
	if err := CheckHost(context.Background(), []Mapping{m}); err != nil {
		t.Errorf("given back: %v", err)
	}
	m.HostIP = netip.MustParseAddr("192.0.2.1")
	if err := CheckHost(context.Background(), []Mapping{m}); !errors.Is(err, errdefs.ErrInvalidArgument) {
		t.Errorf("an address of another host: %v", err)
	}
}
