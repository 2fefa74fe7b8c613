package jailctl

import (
	"context"
	"maps"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"jailshim/jailctl/kernel"
)

// paramCases are the parameters whose value is not just any of their kind: what to
// set, what must be set beside it, and what comes back if not the same.
var paramCases = map[string]struct {
	value, want string
	with        map[string]string
}{
	"allow.mount":        {value: "true", with: map[string]string{"enforce_statfs": "1"}},
	"children.max":       {value: "3"},
	"devfs_ruleset":      {value: "4"},
	"enforce_statfs":     {value: "1"},
	"env":                {value: "A=b", want: "A=b\n"},
	"host":               {value: "new"},
	"host.domainname":    {value: "example.org"},
	"host.hostid":        {value: "305419896"},
	"host.hostname":      {value: "web.example.org"},
	"host.hostuuid":      {value: "11111111-2222-3333-4444-555555555555"},
	"ip4":                {value: "inherit", with: map[string]string{"ip6": "inherit"}},
	"ip4.addr":           {value: "127.0.0.7,127.0.0.5", want: "127.0.0.7,127.0.0.5"},
	"ip6":                {value: "inherit", with: map[string]string{"ip4": "inherit"}},
	"ip6.addr":           {value: "fd00::7"},
	"linux":              {value: "new"},
	"linux.osname":       {value: "Linux"},
	"linux.osrelease":    {value: "5.19.1"},
	"linux.oss_version":  {value: "198144"},
	"mac.do":             {value: "new", with: map[string]string{"mac.do.rules": "uid=1>uid=2"}},
	"mac.do.exec_paths":  {value: "/usr/bin/mdo"},
	"mac.do.rules":       {value: "uid=1>uid=2"},
	"meta":               {value: "k=v", want: "k=v\n"},
	"osreldate":          {value: "1402000"},
	"osrelease":          {value: "14.2-RELEASE"},
	"securelevel":        {value: "2"},
	"vnet":               {value: "new"},
	"zfs":                {value: "new"},
	"zfs.mount_snapshot": {value: "1", with: map[string]string{"allow.mount.zfs": "true"}},
}

// ownParams are the runtime's own.
var ownParams = map[string]bool{"name": true, "path": true, "jid": true, "persist": true}

// Every parameter that the kernel lists and lets be set is set by its annotation,
// and read back from the kernel.
func TestRuntime_EachParameter_SetAndReadBack(t *testing.T) {
	rt := newRuntime(t)
	params, err := kernel.Params()
	if err != nil {
		t.Fatal(err)
	}
	if len(params) < 50 {
		t.Fatalf("the kernel lists %d parameters", len(params))
	}
	tested := 0
	for _, name := range slices.Sorted(maps.Keys(params)) {
		info := params[name]
		if ownParams[name] || info.ReadOnly {
			continue
		}
		tested++
		t.Run(name, func(t *testing.T) {
			for _, value := range valuesFor(t, name, info) {
				s := spec("sleep", "100")
				s.Annotations = map[string]string{"org.freebsd.jail." + name: value}
				for k, v := range paramCases[name].with {
					s.Annotations["org.freebsd.jail."+k] = v
				}
				l, err := rt.tryCreate(t, "p", s)
				if err != nil {
					t.Errorf("%s: %v", value, err)
					continue
				}
				want := paramCases[name].want
				if want == "" {
					want = value
				}
				if got := readParam(t, l, name, info.Kind); got != strings.TrimSuffix(want, "\n") {
					t.Errorf("set %q, and the kernel has %q", value, got)
				}
				l.end()
			}
		})
	}
	t.Logf("%d of %d parameters are the user's to set", tested, len(params))
}

// end kills the init, and deletes the container, so that its id is free.
func (l *life) end() {
	l.tb.Helper()
	if err := l.KillAll(context.Background(), 9); err != nil {
		l.tb.Error(err)
	}
	waitFor(l.tb, l.Init().Pid)
	if err := l.Delete(context.Background()); err != nil {
		l.tb.Error(err)
	}
}

func valuesFor(t *testing.T, name string, info kernel.ParamInfo) []string {
	t.Helper()
	if c, ok := paramCases[name]; ok {
		return []string{c.value}
	}
	switch info.Kind {
	case kernel.KindBool:
		return []string{"true", "false"}
	case kernel.KindJailsys:
		return []string{"new", "inherit", "disable"}
	}
	t.Fatalf("no value is known to test the parameter %s, of kind %s", name, info.Kind)
	return nil
}

// readParam asks the kernel, and writes the value as an annotation does.
func readParam(t *testing.T, l *life, name string, kind kernel.Kind) string {
	t.Helper()
	j, err := kernel.OpenJail(l.Container.(*Container).JailName())
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	values, err := j.Get(name)
	if err != nil {
		t.Fatal(err)
	}
	b := values[name]
	switch kind {
	case kernel.KindString, kernel.KindKeyValue:
		return strings.TrimSuffix(kernel.DecodeString(b), "\n")
	case kernel.KindIPv4, kernel.KindIPv6:
		size := 4
		if kind == kernel.KindIPv6 {
			size = 16
		}
		addrs, err := kernel.DecodeAddrs(b, size)
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, a := range addrs {
			out = append(out, netip.Addr.String(a))
		}
		return strings.Join(out, ",")
	case kernel.KindULong:
		v, err := kernel.DecodeULong(b)
		if err != nil {
			t.Fatal(err)
		}
		return strconv.FormatUint(v, 10)
	}
	v, err := kernel.DecodeInt(b)
	if err != nil {
		t.Fatal(err)
	}
	switch kind {
	case kernel.KindBool:
		return strconv.FormatBool(v != 0)
	case kernel.KindJailsys:
		return [...]string{"disable", "new", "inherit"}[v]
	}
	return strconv.Itoa(int(v))
}

// The same through the freebsd object.
func TestRuntime_FreeBSDObject_SetAndReadBack(t *testing.T) {
	rt := newRuntime(t)
	statfs := 1
	s := spec("sleep", "100")
	s.Hostname, s.Domainname = "web", "example.org"
	s.FreeBSD = &specs.FreeBSD{Jail: &specs.FreeBSDJail{
		Host: specs.FreeBSDShareNew, Ip4: specs.FreeBSDShareNew, Ip4Addr: []string{"127.0.0.9"},
		Ip6: specs.FreeBSDShareNew, Ip6Addr: []string{"fd00::9"},
		EnforceStatfs: &statfs, SysVMsg: specs.FreeBSDShareInherit, SysVSem: specs.FreeBSDShareNew, SysVShm: specs.FreeBSDShareDisable,
		Allow: &specs.FreeBSDJailAllow{
			SetHostname: true, RawSockets: true, Chflags: true, Mount: []string{"nullfs", "tmpfs"}, Quotas: true,
			SocketAf: true, Mlock: true, ReservedPorts: true, Suser: true,
		},
	}}
	l := rt.create(t, "object", s)
	for name, want := range map[string]string{
		"host": "new", "host.hostname": "web", "host.domainname": "example.org", "ip4.addr": "127.0.0.9", "ip6.addr": "fd00::9",
		"enforce_statfs": "1", "sysvmsg": "inherit", "sysvsem": "new", "sysvshm": "disable",
		"allow.set_hostname": "true", "allow.raw_sockets": "true", "allow.chflags": "true", "allow.mount": "true",
		"allow.mount.nullfs": "true", "allow.mount.tmpfs": "true", "allow.mount.zfs": "false", "allow.quotas": "true",
		"allow.socket_af": "true", "allow.mlock": "true", "allow.reserved_ports": "true", "allow.suser": "true",
	} {
		params, err := kernel.Params()
		if err != nil {
			t.Fatal(err)
		}
		if got := readParam(t, l, name, params[name].Kind); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestRuntime_ParentJail_ContainerIsInIt(t *testing.T) {
	rt := newRuntime(t)
	parent, err := kernel.CreateJail([]kernel.Param{kernel.String("name", "jt-parent"), kernel.String("path", "/"),
		kernel.Bool("persist", true), kernel.Int("children.max", 5), kernel.Int("vnet", kernel.New)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := parent.Remove(); err != nil {
			t.Error(err)
		}
	})
	for _, annotation := range []string{"org.freebsd.parentJail", "io.containerd.jail.network"} {
		s := spec("sh", "-c", "ifconfig -l")
		value := "jt-parent"
		if annotation == "io.containerd.jail.network" {
			value = "jail:" + value
		}
		s.Annotations = map[string]string{annotation: value}
		l := rt.create(t, "kid", s)
		if got := l.Container.(*Container).JailName(); got != "jt-parent."+rt.name("kid") {
			t.Errorf("%s: jail %s", annotation, got)
		}
		l.start()
		if status := l.wait(); status != 0 || !strings.HasPrefix(l.output(), "lo0") || strings.Contains(l.output(), "vtnet") {
			t.Errorf("%s: status %d, interfaces %q; want those of the parent", annotation, status, l.output())
		}
		if err := l.Delete(context.Background()); err != nil {
			t.Error(err)
		}
	}
}

// Daemonless' cases.
func TestRuntime_AllowAnnotations_Matter(t *testing.T) {
	rt := newRuntime(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, annotation, script string }{
		{"raw sockets", "org.freebsd.jail.allow.raw_sockets", "ping -c 1 -t 3 127.0.0.1 >/dev/null"},
		{"locked memory", "org.freebsd.jail.allow.mlock", "JT_PROGRAM=mlock /test/" + filepath.Base(self)},
	} {
		for _, allow := range []bool{true, false} {
			s := spec("sh", "-c", tt.script)
			s.Mounts = append(s.Mounts, specs.Mount{Type: "nullfs", Source: filepath.Dir(self), Destination: "/test", Options: []string{"ro"}})
			if allow {
				s.Annotations = map[string]string{tt.annotation: "true"}
			}
			l := rt.create(t, "a", s)
			l.start()
			if status := l.wait(); (status == 0) != allow {
				t.Errorf("%s, allowed %v: status %d, %s", tt.name, allow, status, l.output())
			}
			if err := l.Delete(context.Background()); err != nil {
				t.Error(err)
			}
		}
	}
}

// ifconfig runs ifconfig on the host.
func ifconfig(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("/rescue/ifconfig", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("ifconfig %v: %v: %s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// An interface of the host is the container's while it lives, and comes back under its
// name whatever it was called there.
func TestRuntime_VnetInterfaces_LentAndReturned(t *testing.T) {
	rt := newRuntime(t)
	lent := ifconfig(t, "tap", "create")
	t.Cleanup(func() { ifconfig(t, lent, "destroy") })
	for _, script := range []string{"ifconfig -l", "ifconfig " + lent + " name uplink >/dev/null; ifconfig -l"} {
		s := spec("sh", "-c", script)
		s.FreeBSD = &specs.FreeBSD{Jail: &specs.FreeBSDJail{Vnet: specs.FreeBSDShareNew, VnetInterfaces: []string{lent}}}
		l := rt.create(t, "router", s)
		if there := strings.Fields(ifconfig(t, "-l")); slices.Contains(there, lent) {
			t.Errorf("%s is still on the host", lent)
		}
		l.start()
		want := lent
		if strings.Contains(script, "uplink") {
			want = "uplink"
		}
		if status := l.wait(); status != 0 || !slices.Contains(strings.Fields(l.output()), want) {
			t.Errorf("%s: status %d, interfaces %q", script, status, l.output())
		}
		if err := l.Delete(context.Background()); err != nil {
			t.Error(err)
		}
		if there := strings.Fields(ifconfig(t, "-l")); !slices.Contains(there, lent) || slices.Contains(there, "uplink") {
			t.Errorf("after %q the host has %v", script, there)
		}
	}
	s := spec("true")
	s.FreeBSD = &specs.FreeBSD{Jail: &specs.FreeBSDJail{Vnet: specs.FreeBSDShareNew, VnetInterfaces: []string{"nosuch0"}}}
	if _, err := rt.tryCreate(t, "refused", s); !errdefs.IsNotFound(err) || !strings.Contains(err.Error(), "nosuch0") {
		t.Errorf("an interface that isn't there: %v", err)
	}
}

// Addresses are on the interface of the host while a container needs them.
func TestRuntime_Interface_AddressesWhileItLives(t *testing.T) {
	rt := newRuntime(t)
	s := spec("sh", "-c", "ifconfig lo0")
	s.FreeBSD = &specs.FreeBSD{Jail: &specs.FreeBSDJail{Interface: "lo0", Ip4Addr: []string{"192.0.2.77"}, Ip6Addr: []string{"2001:db8::77"}}}
	l := rt.create(t, "aliased", s)
	for _, addr := range []string{"192.0.2.77", "2001:db8::77"} {
		if !strings.Contains(ifconfig(t, "lo0"), addr) {
			t.Errorf("lo0 has not got %s", addr)
		}
	}
	l.start()
	if status := l.wait(); status != 0 || !strings.Contains(l.output(), "192.0.2.77") || strings.Contains(l.output(), "127.0.0.1") {
		t.Errorf("status %d, the container sees %q", status, l.output())
	}
	if err := l.Delete(context.Background()); err != nil {
		t.Error(err)
	}
	if after := ifconfig(t, "lo0"); strings.Contains(after, "192.0.2.77") || strings.Contains(after, "2001:db8::77") {
		t.Errorf("an address stays: %s", after)
	}
}
