package names

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
)

func addrs(texts ...string) []netip.Addr {
	var list []netip.Addr
	for _, t := range texts {
		list = append(list, netip.MustParseAddr(t))
	}
	return list
}

func TestHosts(t *testing.T) {
	got := string(Hosts([]Host{{addrs("192.0.2.2")[0], []string{"web", "www"}}}))
	if want := "::1\tlocalhost\n127.0.0.1\tlocalhost\n192.0.2.2\tweb www\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestResolver_ThereAndBack(t *testing.T) {
	text := "# made by hand\nsearch a.org b.org\n nameserver 192.0.2.1 # first\nnameserver fe80::1%em0\nnameserver x\ndomain\n\noptions ndots:2\noptions edns0\n;nameserver 192.0.2.9\n"
	r := ParseResolver([]byte(text))
	want := Resolver{Servers: addrs("192.0.2.1", "fe80::1%em0"), Search: []string{"a.org", "b.org"}, Options: []string{"ndots:2", "edns0"}}
	if !reflect.DeepEqual(r, want) {
		t.Errorf("got %+v, want %+v", r, want)
	}
	if back := ParseResolver(r.Text()); !reflect.DeepEqual(back, r) {
		t.Errorf("back %+v, want %+v", back, r)
	}
	if got := ParseResolver([]byte("search a\ndomain b c\n")).Search; !reflect.DeepEqual(got, []string{"b"}) {
		t.Errorf("domain: %v", got)
	}
}

func FuzzParseResolver(f *testing.F) {
	f.Add([]byte("search a\nnameserver 192.0.2.1\noptions x y\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		r := ParseResolver(text)
		if back := ParseResolver(r.Text()); !reflect.DeepEqual(back, r) {
			t.Errorf("%q: %+v, then %+v", text, r, back)
		}
	})
}

func TestForContainer(t *testing.T) {
	host := Resolver{Servers: addrs("127.0.0.1", "192.0.2.1", "fe80::1%em0"), Search: []string{"h"}, Options: []string{"ho"}}
	for name, c := range map[string]struct {
		own      Resolver
		servers  []netip.Addr
		search   string
		options  string
		warnings int
	}{
		"host's":   {Resolver{}, addrs("192.0.2.1"), "h", "ho", 2},
		"own":      {Resolver{Servers: addrs("192.0.2.53"), Search: []string{"o"}, Options: []string{"oo"}}, addrs("192.0.2.53"), "o", "oo", 0},
		"mixed":    {Resolver{Search: []string{"o"}}, addrs("192.0.2.1"), "o", "ho", 2},
		"too many": {Resolver{Servers: addrs("192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4")}, addrs("192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"), "h", "ho", 1},
	} {
		got, warnings := ForContainer(c.own, host)
		want := Resolver{Servers: c.servers, Search: []string{c.search}, Options: []string{c.options}}
		if !reflect.DeepEqual(got, want) || len(warnings) != c.warnings {
			t.Errorf("%s: got %+v, %q; want %+v", name, got, warnings, want)
		}
	}
	if len(host.Servers) != 3 || host.Servers[0].String() != "127.0.0.1" {
		t.Errorf("the host's list was changed: %v", host.Servers)
	}
}

func open(t *testing.T) *Registry {
	t.Helper()
	r, err := OpenRegistry(filepath.Join(t.TempDir(), "names"))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func set(t *testing.T, r *Registry, e Entry) string {
	t.Helper()
	path, err := r.Set(t.Context(), "n", e)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

const head = "::1\tlocalhost\n127.0.0.1\tlocalhost\n"

func wantFile(t *testing.T, path, want string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil || string(b) != head+want {
		t.Errorf("%s: got %q, %v; want %q", path, b, err, head+want)
	}
}

// A file that is mounted in a container must show who came and went.
func TestRegistry_KeepsTheInode(t *testing.T) {
	r := open(t)
	path := set(t, r, Entry{Owner: "a", Addrs: addrs("192.0.2.2", "2001:db8::2"), Names: []string{"web", "w"}})
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if other := set(t, r, Entry{Owner: "b", Addrs: addrs("192.0.2.3"), Names: []string{"db"}}); other != path {
		t.Errorf("%s and %s", path, other)
	}
	wantFile(t, path, "192.0.2.2\tweb w\n2001:db8::2\tweb w\n192.0.2.3\tdb\n")
	set(t, r, Entry{Owner: "a", Addrs: addrs("192.0.2.4"), Names: []string{"web"}})
	wantFile(t, path, "192.0.2.4\tweb\n192.0.2.3\tdb\n")
	for range 2 {
		if err := r.Remove(t.Context(), "n", "a"); err != nil {
			t.Fatal(err)
		}
	}
	wantFile(t, path, "192.0.2.3\tdb\n")
	if after, err := os.Stat(path); err != nil || !os.SameFile(before, after) {
		t.Errorf("the file was replaced, %v", err)
	}
}

func TestRegistry_LinesOfOnesOwn(t *testing.T) {
	r := open(t)
	e := Entry{Owner: "a", Addrs: addrs("192.0.2.2"), Names: []string{"web"}, Extra: []Host{{addrs("198.51.100.9")[0], []string{"extra"}}}}
	own := set(t, r, e)
	shared := set(t, r, Entry{Owner: "b", Addrs: addrs("192.0.2.3"), Names: []string{"db"}})
	wantFile(t, own, "192.0.2.2\tweb\n192.0.2.3\tdb\n198.51.100.9\textra\n")
	wantFile(t, shared, "192.0.2.2\tweb\n192.0.2.3\tdb\n")
	e.Extra = nil
	if path := set(t, r, e); path != shared {
		t.Errorf("got %s", path)
	}
	if _, err := os.Stat(own); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("left: %v", err)
	}
	if err := r.Forget(t.Context(), "n"); !errors.Is(err, errdefs.ErrFailedPrecondition) {
		t.Errorf("in use: %v", err)
	}
	swept, err := r.Sweep(t.Context(), func(owner string) bool { return owner == "b" })
	if err != nil || len(swept) != 1 || swept[0].Owner != "a" {
		t.Errorf("swept %v, %v", swept, err)
	}
	list, err := r.List(t.Context(), "n")
	if err != nil || len(list) != 1 || list[0].Owner != "b" {
		t.Errorf("list %v, %v", list, err)
	}
	if err := errors.Join(r.Remove(t.Context(), "n", "b"), r.Forget(t.Context(), "n"), r.Forget(t.Context(), "n")); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(shared); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("left: %v", err)
	}
}

func TestRegistry_Refuses(t *testing.T) {
	r := open(t)
	line := []Host{{addrs("192.0.2.9")[0], []string{"a b"}}}
	for _, e := range []Entry{
		{Owner: ""}, {Owner: "../x"}, {Owner: "a", Names: []string{"a b"}}, {Owner: "a", Names: []string{"x\n192.0.2.1 y"}}, {Owner: "a", Names: []string{""}},
		{Owner: "a", Names: []string{strings.Repeat("x", 256)}}, {Owner: "a", Extra: line}, {Owner: "a", Extra: []Host{{Names: []string{"x"}}}},
	} {
		if _, err := r.Set(t.Context(), "n", e); !errors.Is(err, errdefs.ErrInvalidArgument) {
			t.Errorf("%+v: %v", e, err)
		}
	}
	if list, err := r.List(t.Context(), "n"); err != nil || len(list) > 0 {
		t.Errorf("left %v, %v", list, err)
	}
}
