package plan

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

func TestJailName(t *testing.T) {
	for _, test := range []struct{ namespace, id, want string }{
		{"default", "web1", "default-web1"},
		{"default", "12", "default-12"},
		{"k8s.io", "abc", "k8s_io-abc-"},
		{"moby", "my-app", "moby-my_app-"},
		{"", "my-app", "my-app"},
		{"", "web", "web"},
		{"", "12345", "12345-"},
		{"", "a.b:c", "a_b_c-"},
		{"", "a-0123456789", "a_0123456789-"},
		{strings.Repeat("n", 76), strings.Repeat("i", 76), strings.Repeat("n", maxNamespace) + "-" + strings.Repeat("i", 68) + "-"},
	} {
		got := JailName(test.namespace, test.id)
		if ok := got == test.want; strings.HasSuffix(test.want, "-") {
			ok = strings.HasPrefix(got, test.want) && len(got) == len(test.want)+hashDigits
			if !ok {
				t.Errorf("JailName(%q, %q) = %q, want %q and a hash", test.namespace, test.id, got, test.want)
			}
		} else if !ok {
			t.Errorf("JailName(%q, %q) = %q, want %q", test.namespace, test.id, got, test.want)
		}
	}
}

var jailNameForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,120}$`)

// Two containers with the same jail name would share processes and limits.
func TestJailName_NoCollisions(t *testing.T) {
	parts := []string{"a", "b", "a-b", "b-a", "a_b", "a.b", "a:b", "A", "1", "12", "default", "default-web", "web",
		"-", "_", ".", "..", "é", "a b", strings.Repeat("x", 60), strings.Repeat("x", 61), strings.Repeat("x", 200), strings.Repeat("x", 201)}
	for i := range 300 {
		parts = append(parts, fmt.Sprintf("%x", i*7919), fmt.Sprintf("c.%d", i), fmt.Sprintf("c-%d", i), fmt.Sprintf("c_%d", i))
	}
	named := make(map[string]string) // of containers in namespaces
	for _, ns := range append(parts[:40:40], "k8s.io", "k8s_io", "moby") {
		for _, id := range parts {
			unique(t, named, ns, id)
		}
	}
	plainNames := make(map[string]string) // of those without
	for _, id := range parts {
		unique(t, plainNames, "", id)
	}
	for _, name := range []string{JailName("", "a.b"), JailName("", "12"), JailName("k8s.io", "a")} {
		unique(t, plainNames, "", name)
	}
}

func unique(t *testing.T, seen map[string]string, ns, id string) {
	t.Helper()
	name, key := JailName(ns, id), ns+"\x00"+id
	if old, ok := seen[name]; ok && old != key {
		t.Errorf("%q and %q are both %s", old, key, name)
	}
	seen[name] = key
	if !jailNameForm.MatchString(name) || strings.Trim(name, "0123456789") == "" {
		t.Errorf("JailName(%q, %q) = %q", ns, id, name)
	}
}

func FuzzJailName(f *testing.F) {
	f.Add("default", "web", "default", "web-1")
	f.Add("a", "b-c", "a-b", "c")
	f.Add("", "1", "", "1-")
	f.Fuzz(func(t *testing.T, ns1, id1, ns2, id2 string) {
		a, b := JailName(ns1, id1), JailName(ns2, id2)
		for _, name := range []string{a, b} {
			if id1 != "" && id2 != "" && (!jailNameForm.MatchString(name) || strings.Trim(name, "0123456789") == "") {
				t.Errorf("%q", name)
			}
		}
		if a == b && (ns1 == "") == (ns2 == "") && (ns1 != ns2 || id1 != id2) {
			t.Errorf("%q/%q and %q/%q are both %q", ns1, id1, ns2, id2, a)
		}
	})
}

func TestHostUUID_FormAndStability(t *testing.T) {
	a, b := hostUUID("default", "a"), hostUUID("default", "b")
	form := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	if !form.MatchString(a) || a == b || a != hostUUID("default", "a") {
		t.Errorf("%s, %s", a, b)
	}
}

func TestIsLinuxRelease_IsFSName(t *testing.T) {
	for text, want := range map[string]bool{
		"5.15.0": true, "3.17.0-generic+1": true, "4.4.0.1": true, "10.20.30": true,
		"": false, "five": false, "5": false, "5.15": false, "5.15.": false, "5..0": false, "5.15.0x": false, " 5.15.0": false, "5.15.0-a\nb": false,
	} {
		if got := isLinuxRelease(text); got != want {
			t.Errorf("isLinuxRelease(%q): got %v", text, got)
		}
	}
	for text, want := range map[string]bool{
		"nullfs": true, "ext2fs": true, "my_fs": true, strings.Repeat("f", maxFSName): true,
		"": false, "Nullfs": false, "null-fs": false, "../x": false, "a/b": false, "é": false, strings.Repeat("f", maxFSName+1): false,
	} {
		if got := isFSName(text); got != want {
			t.Errorf("isFSName(%q): got %v", text, got)
		}
	}
}
