package kernel

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

func TestJail_Lifecycle(t *testing.T) {
	j := newJail(t, String("host.hostname", "first"))
	release, err := Osreldate()
	if err != nil {
		t.Fatal(err)
	}
	if (j.File() != nil) != (release >= firstDescriptorRelease) {
		t.Errorf("release %d: descriptor %v", release, j.File())
	}
	if f := j.File(); f != nil {
		flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFD, 0)
		if err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("flags of the descriptor: %#x, %v, want close-on-exec", flags, err)
		}
	}
	wantState(t, j.ID, JailAlive)
	if err := j.Update([]Param{String("host.hostname", "second"), Bool("allow.chflags", true)}); err != nil {
		t.Fatal(err)
	}
	values, err := j.Get("host.hostname", "allow.chflags", "allow.mlock", "jid")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]byte{
		"host.hostname": []byte("second\x00"), "allow.chflags": {1, 0, 0, 0}, "allow.mlock": {0, 0, 0, 0},
		"jid": Int("jid", int32(j.ID)).Value,
	}
	if !reflect.DeepEqual(values, want) {
		t.Errorf("got %q, want %q", values, want)
	}
	jails, err := Jails(false)
	i := slices.IndexFunc(jails, func(info JailInfo) bool { return info.ID == j.ID })
	if err != nil || i < 0 {
		t.Fatalf("%v is not among %v, %v", j, jails, err)
	}
	path, err := j.Get("path")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := jails[i], (JailInfo{ID: j.ID, Name: j.Name, Path: DecodeString(path["path"])}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if err := j.Remove(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the jail is gone", func() bool { state, err := StateOfJail(j.ID); return err == nil && state == JailGone })
	wantErrno(t, "second Remove", j.Remove(), unix.ENOENT)
	wantErrno(t, "Update of a gone jail", j.Update([]Param{Bool("persist", true)}), unix.ENOENT)
	_, err = j.Get("path")
	wantErrno(t, "Get of a gone jail", err, unix.ENOENT)
}

func wantState(t *testing.T, jid int, want JailState) {
	t.Helper()
	if got, err := StateOfJail(jid); err != nil || got != want {
		t.Errorf("jail %d is %v, %v, want %v", jid, got, err, want)
	}
}

func TestJail_Open(t *testing.T) {
	j := newJail(t)
	byName, err := OpenJail(j.Name)
	if err != nil {
		t.Fatal(err)
	}
	defer byName.Close()
	byID, err := OpenJailID(j.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer byID.Close()
	for _, o := range []*Jail{byName, byID} {
		if o.ID != j.ID || o.Name != j.Name || (o.File() == nil) != (j.File() == nil) {
			t.Errorf("got %+v, want %+v", o, j)
		}
	}
	_, err = OpenJail(j.Name + "-none")
	wantErrno(t, "OpenJail", err, unix.ENOENT)
	_, err = OpenJailID(999999)
	wantErrno(t, "OpenJailID", err, unix.ENOENT)
	_, err = OpenJailID(0)
	wantErrno(t, "OpenJailID of the host", err, unix.ENOENT)
	if err := byName.Remove(); err != nil {
		t.Fatal(err)
	}
	wantErrno(t, "Remove of a removed jail", byID.Remove(), unix.ENOENT)
}

// Every kind of parameter is set, and read back as it was set.
func TestJail_KindsOfParameters(t *testing.T) {
	addr := func(s string) netip.Addr { return netip.MustParseAddr(s) }
	ip4, err := IPv4("ip4.addr", []netip.Addr{addr("127.77.0.5"), addr("127.77.0.3"), addr("127.77.0.9")})
	if err != nil {
		t.Fatal(err)
	}
	ip6, err := IPv6("ip6.addr", []netip.Addr{addr("fd77::5"), addr("fd77::3")})
	if err != nil {
		t.Fatal(err)
	}
	set := []Param{
		Int("children.max", 3), Int("enforce_statfs", 1), Int("securelevel", 2), Int("devfs_ruleset", 4),
		String("host.hostname", "h.example"), String("host.domainname", "example"),
		String("host.hostuuid", "01234567-89ab-cdef-0123-456789abcdef"), ULong("host.hostid", 0xfedcba98),
		Int("osreldate", 1400097), String("osrelease", "14.0-RELEASE"), ip4, ip6,
	}
	j := newJail(t, append(set, Bool("allow.raw_sockets", true), Bool("allow.set_hostname", false))...)
	names := []string{"allow.raw_sockets", "allow.set_hostname", "ip4", "vnet", "parent", "name"}
	for _, p := range set {
		names = append(names, p.Name)
	}
	got, err := j.Get(names...)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range append(set,
		Int("allow.raw_sockets", 1), Int("allow.set_hostname", 0), Int("ip4", Disable), Int("vnet", Inherit), Int("parent", 0),
		String("name", j.Name)) {
		if !slices.Equal(got[p.Name], p.Value) {
			t.Errorf("%s: got %q, want %q", p.Name, got[p.Name], p.Value)
		}
	}
	addrs, err := DecodeAddrs(got["ip4.addr"], 4)
	if err != nil || len(addrs) != 3 {
		t.Errorf("addresses %v, %v", addrs, err)
	}
	other := newJail(t, Int("ip4", Inherit))
	none, err := other.Get("ip4.addr", "ip4")
	if err != nil || len(none["ip4.addr"]) != 0 || !slices.Equal(none["ip4"], Int("", Inherit).Value) {
		t.Errorf("a jail with the host's addresses: %v, %v", none, err)
	}
}

// What users see of a wrong parameter is what the kernel says.
func TestJail_Refused(t *testing.T) {
	j := newJail(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		params []Param
		errno  unix.Errno
		detail string
	}{
		"unknown parameter": {[]Param{Int("nosuch.param", 1)}, unix.EINVAL, "unknown parameter: nosuch.param"},
		"addresses with a network": {
			[]Param{Int("vnet", New), Int("ip4", Inherit)}, unix.EINVAL, "vnet jails cannot have IP address restrictions",
		},
		"name in use":   {[]Param{String("name", j.Name)}, unix.EEXIST, fmt.Sprintf("jail %q already exists", j.Name)},
		"parent":        {[]Param{String("name", j.Name+"-none.child")}, unix.ENOENT, fmt.Sprintf("jail %q not found", j.Name+"-none")},
		"not persist":   {[]Param{Bool("persist", false)}, unix.EINVAL, "new jail must persist or attach"},
		"missing path":  {[]Param{String("path", dir+"/none")}, unix.ENOENT, ""},
		"path is file":  {[]Param{String("path", file)}, unix.ENOTDIR, ""},
		"size of a int": {[]Param{{Name: "securelevel", Value: make([]byte, 8)}}, unix.EINVAL, ""},
		"no NUL":        {[]Param{{Name: "host.hostname", Value: []byte("abc")}}, unix.EINVAL, ""},
		"NUL in a name": {[]Param{Int("a\x00b", 1)}, 0, ""},
	} {
		made, err := CreateJail(jailParams(t, c.params...))
		if err == nil {
			t.Errorf("%s: %v was made", name, made)
			removeJail(t, made)
			continue
		}
		if c.errno == 0 {
			if !errors.Is(err, unix.EINVAL) {
				t.Errorf("%s: %v, want EINVAL", name, err)
			}
			continue
		}
		wantErrno(t, name, err, c.errno)
		var e *Error
		if errors.As(err, &e) && e.Detail != c.detail {
			t.Errorf("%s: the kernel says %q, want %q", name, e.Detail, c.detail)
		}
	}
	err := j.Update([]Param{String("path", dir)})
	wantErrno(t, "Update of path", err, unix.EINVAL)
	var e *Error
	if errors.As(err, &e) && e.Detail != "path cannot be changed after creation" {
		t.Errorf("the kernel says %q", e.Detail)
	}
	_, err = j.Get("name", "nosuch.param")
	wantErrno(t, "Get of an unknown parameter", err, unix.EINVAL)
}

func TestJail_Meta(t *testing.T) {
	release, err := Osreldate()
	if err != nil {
		t.Fatal(err)
	}
	j := newJail(t)
	if release < firstDescriptorRelease {
		_, err := j.Get("meta")
		wantErrno(t, "Get of meta before 15.0", err, unix.EINVAL)
		return
	}
	if err := j.Update([]Param{String("meta", "a=1\nb=2"), String("env", "E=x")}); err != nil {
		t.Fatal(err)
	}
	got, err := j.Get("meta", "meta.a", "meta.none", "env.E", "path")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"meta": "a=1\nb=2\x00", "meta.a": "1\x00", "meta.none": "", "env.E": "x\x00"} {
		if string(got[name]) != want {
			t.Errorf("%s: got %q, want %q", name, got[name], want)
		}
	}
	if err := j.Update([]Param{{Name: "meta.a"}}); err != nil {
		t.Fatal(err)
	}
	if got, err := j.Get("meta"); err != nil || string(got["meta"]) != "b=2\x00" {
		t.Errorf("after removing a key: %q, %v", got, err)
	}
}

// Without descriptors, an id may have become another jail's since it was noted.
func TestJail_RemoveByStaleID_OtherJailLives(t *testing.T) {
	j := newJail(t)
	stale := &Jail{ID: j.ID, Name: j.Name + "-before"}
	wantErrno(t, "Remove", stale.Remove(), unix.ENOENT)
	wantState(t, j.ID, JailAlive)
	byID := &Jail{ID: j.ID, Name: j.Name}
	if err := byID.Remove(); err != nil {
		t.Error(err)
	}
	wantErrno(t, "second Remove", (&Jail{ID: j.ID}).Remove(), unix.ENOENT)
}

func TestJail_RemoveParent_RemovesChildren(t *testing.T) {
	parent := newJail(t, Int("children.max", 2))
	child := newJail(t, String("name", parent.Name+".child"))
	jails, err := Jails(false)
	i := slices.IndexFunc(jails, func(info JailInfo) bool { return info.ID == child.ID })
	if err != nil || i < 0 || jails[i].Parent != parent.ID || jails[i].Name != parent.Name+".child" {
		t.Errorf("got %v, %v, want a child of %d", jails, err, parent.ID)
	}
	if err := parent.Remove(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the child is gone", func() bool { s, err := StateOfJail(child.ID); return err == nil && s == JailGone })
}

func TestJail_Attach(t *testing.T) {
	j := newJail(t)
	check := func(s *stage) {
		t.Helper()
		if s.said != "attached at /" {
			t.Errorf("said %q", s.said)
		}
		p, err := ProcessByID(s.Process.Pid)
		if err != nil || p.Jid != j.ID || p.Flag&ProcFlagJailed == 0 {
			t.Errorf("got %+v, %v, want a process in jail %d", p, err, j.ID)
		}
	}
	first := jailStage(t, j, "attach")
	check(first)
	byID := startStage(t, testBinary(t, fmt.Sprintf("%s=%d", jidVar, j.ID)), "attach")
	check(byID)
	if err := j.Remove(); err != nil {
		t.Fatal(err)
	}
	// What is left until they are waited for keeps the jail dying.
	wantState(t, j.ID, JailDying)
	dying, err := Jails(true)
	if i := slices.IndexFunc(dying, func(info JailInfo) bool { return info.ID == j.ID && info.Dying }); err != nil || i < 0 {
		t.Errorf("%v does not list jail %d as dying, %v", dying, j.ID, err)
	}
	for _, s := range []*stage{first, byID} {
		if _, err := s.Process.Wait(); err != nil {
			t.Error(err)
		}
	}
}

// The kernel refuses a process that has a directory open, since it would lead out
// of the jail.
func TestJail_Attach_OpenDirectory_EPERM(t *testing.T) {
	j := newJail(t)
	if s := jailStage(t, j, "directory"); s.said != "refused true" {
		t.Errorf("said %q", s.said)
	}
}

func TestJail_Descriptors_NoneLeak(t *testing.T) {
	removeJail(t, newJail(t)) // what is opened once, is
	before := openDescriptors(t)
	for range 20 {
		j := newJail(t)
		if _, err := OpenJail(j.Name + "-none"); err == nil {
			t.Error("a jail that does not exist was opened")
		}
		if _, err := CreateJail([]Param{String("name", j.Name), String("path", "/"), Bool("persist", true)}); err == nil {
			t.Error("a jail was made twice")
		}
		removeJail(t, j)
	}
	if after := openDescriptors(t); after != before {
		t.Errorf("%d descriptors are open, %d were before", after, before)
	}
}

// paramModules are the starts of the names of parameters that modules bring.
var paramModules = []string{"allow.mount.", "linux", "zfs", "sysv"}

// A parameter that this system lists in another kind than the table has would be
// planned wrongly.
func TestParams_AreAsInTheTable(t *testing.T) {
	params, err := Params()
	if err != nil {
		t.Fatal(err)
	}
	release, err := Osreldate()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range BuiltinParams() {
		got, ok := params[name]
		fromModule := slices.ContainsFunc(paramModules, func(start string) bool {
			return len(name) >= len(start) && name[:len(start)] == start
		})
		if !ok {
			if release >= 1501000 && !fromModule {
				t.Errorf("the kernel has no %s", name)
			}
			continue
		}
		if got != want {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
	if len(params) < 50 {
		t.Errorf("%d parameters: %v", len(params), params)
	}
	for name, p := range params {
		if p.Name != name {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

func TestStateOfJail_BadID(t *testing.T) {
	_, err := StateOfJail(0)
	wantErrno(t, "StateOfJail", err, unix.EINVAL)
	wantState(t, 999999, JailGone)
}

func TestLookupParam_AsListed(t *testing.T) {
	params, err := Params()
	if err != nil || len(params) < 50 {
		t.Fatalf("%d parameters, %v", len(params), err)
	}
	for name, want := range params {
		if got, err := LookupParam(name); err != nil || got != want {
			t.Errorf("%s: got %+v, %v, want %+v", name, got, err, want)
		}
	}
	for _, name := range []string{"", "nosuch", "allow", "ip4.", "ip4.nosuch", ".", "allow.mount.", "a b", "meta.key"} {
		_, err := LookupParam(name)
		if !errors.Is(err, unix.ENOENT) {
			t.Errorf("%q: %v, want ENOENT", name, err)
		}
	}
}
