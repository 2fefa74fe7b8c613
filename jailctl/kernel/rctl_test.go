package kernel

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"syscall"
	"testing"

	"jailshim/internal/captured"
)

func TestRule_String(t *testing.T) {
	for _, c := range []struct {
		rule Rule
		want string
	}{
		{Rule{Jail: "web", Resource: "memoryuse", Action: "sigkill", Amount: 67108864}, "jail:web:memoryuse:sigkill=67108864"},
		{Rule{Jail: "pod.web", Resource: "maxproc", Action: "deny", Amount: 6, Per: "user"}, "jail:pod.web:maxproc:deny=6/user"},
	} {
		if got := c.rule.String(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
		if err := c.rule.check(); err != nil {
			t.Errorf("%v: %v", c.rule, err)
		}
	}
}

// These would make the kernel read another rule than the one that was meant, such as
// one for every jail.
func TestRule_Unclear_Refused(t *testing.T) {
	good := Rule{Jail: "web", Resource: "maxproc", Action: "deny", Amount: 6}
	for name, change := range map[string]func(*Rule){
		"no jail":           func(r *Rule) { r.Jail = "" },
		"colon in jail":     func(r *Rule) { r.Jail = "web:maxproc" },
		"NUL in jail":       func(r *Rule) { r.Jail = "web\x00" },
		"no resource":       func(r *Rule) { r.Resource = "" },
		"colon in resource": func(r *Rule) { r.Resource = "maxproc:deny" },
		"no action":         func(r *Rule) { r.Action = "" },
		"amount in action":  func(r *Rule) { r.Action = "deny=5" },
		"slash in per":      func(r *Rule) { r.Per = "a/b" },
		"amount too large":  func(r *Rule) { r.Amount = math.MaxInt64 + 1 },
	} {
		r := good
		change(&r)
		if err := r.check(); !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ERANGE) {
			t.Errorf("%s: %q: %v, want EINVAL or ERANGE", name, r, err)
		}
	}
}

func TestRuleFilter(t *testing.T) {
	for _, c := range []struct{ jail, resource, action, want string }{
		{"web", "", "", "jail:web"},
		{"web", "maxproc", "", "jail:web:maxproc"},
		{"web", "maxproc", "deny", "jail:web:maxproc:deny"},
		{"web", "", "deny", "jail:web"},
	} {
		if got, err := ruleFilter(c.jail, c.resource, c.action); err != nil || got != c.want {
			t.Errorf("%q %q %q: got %q, %v, want %q", c.jail, c.resource, c.action, got, err, c.want)
		}
	}
	for _, jail := range []string{"", ":", "a:b", "a\x00"} {
		if got, err := ruleFilter(jail, "", ""); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("jail %q: %q, %v, want EINVAL", jail, got, err)
		}
	}
}

func TestParseRules(t *testing.T) {
	for text, want := range map[string][]Rule{
		"":                                    nil,
		"jail:rcx:memoryuse:sigkill=67108864": {{Jail: "rcx", Resource: "memoryuse", Action: "sigkill", Amount: 67108864}},
		"jail:a.b:maxproc:deny=8,jail:a.b:nthr:log=0/process": {
			{Jail: "a.b", Resource: "maxproc", Action: "deny", Amount: 8},
			{Jail: "a.b", Resource: "nthr", Action: "log", Per: "process"},
		},
	} {
		if got, err := ParseRules(text); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: got %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{
		",", "jail", "jail:a:maxproc:deny", "jail:a:maxproc:deny=", "jail:a:maxproc:deny=-1", "jail:a:maxproc:deny=1/",
		"jail::maxproc:deny=1", "jail:a::deny=1", "jail:a:maxproc:=1", "user:a:maxproc:deny=1", "jail:a:b:maxproc:deny=1",
		"jail:a:maxproc:deny=64M", "jail:a:maxproc:deny=9223372036854775808", "jail:a:maxproc:deny=1,",
	} {
		if got, err := ParseRules(text); !errors.Is(err, ErrLayout) || got != nil {
			t.Errorf("%q: got %v, %v, want ErrLayout", text, got, err)
		}
	}
}

// usageText is the usage as the kernel writes it.
func usageText(tb testing.TB) string {
	tb.Helper()
	return DecodeString(captured.Bytes(tb, vectorUsage))
}

func TestDecodeUsage(t *testing.T) {
	got, err := DecodeUsage(string(captured.Bytes(t, vectorUsage)))
	if err != nil {
		t.Fatal(err)
	}
	note := captured.Decoded(t, vectorUsage)
	want := make(map[string]uint64)
	for line := range strings.Lines(note) {
		resource, amount, ok := strings.Cut(strings.TrimSpace(line), "=")
		var n uint64
		if _, err := fmt.Sscan(amount, &n); !ok || err != nil {
			t.Fatalf("note: %q: %v", line, err)
		}
		want[resource] = n
	}
	if len(want) != 25 || !maps.Equal(got, want) {
		t.Errorf("got %v, want the %d of the note: %v", got, len(want), want)
	}
	text := usageText(t)
	for n := range text {
		got, err := DecodeUsage(text[:n])
		if err != nil && (!errors.Is(err, ErrLayout) || got != nil) {
			t.Errorf("the first %d bytes: %v, %v", n, got, err)
		}
		// A cut may fall between the digits of the last amount, not elsewhere.
		for resource := range got {
			if _, ok := want[resource]; !ok {
				t.Errorf("the first %d bytes have a resource %q", n, resource)
			}
		}
	}
	for _, text := range []string{"", "a", "=1", "a=", "a=-1", "a=1,", ",a=1", "a=1.5"} {
		if got, err := DecodeUsage(text); !errors.Is(err, ErrLayout) {
			t.Errorf("%q: got %v, %v, want ErrLayout", text, got, err)
		}
	}
}

// FuzzParseRules feeds texts in place of what the rctl calls answer: what is
// accepted is written as it was read.
func FuzzParseRules(f *testing.F) {
	f.Add("jail:rcx:memoryuse:sigkill=67108864,jail:rcx:maxproc:deny=6/user")
	f.Add(usageText(f))
	f.Fuzz(func(t *testing.T, text string) {
		if rules, err := ParseRules(text); err == nil {
			var texts []string
			for _, r := range rules {
				texts = append(texts, r.String())
			}
			again, err := ParseRules(strings.Join(texts, ","))
			if err != nil || !slices.Equal(again, rules) {
				t.Errorf("%q: %v, then %v, %v", text, rules, again, err)
			}
		}
		if usage, err := DecodeUsage(text); err == nil {
			var texts []string
			for resource, n := range usage {
				texts = append(texts, fmt.Sprintf("%s=%d", resource, n))
			}
			again, err := DecodeUsage(strings.Join(texts, ","))
			if err != nil || !maps.Equal(again, usage) {
				t.Errorf("%q: %v, then %v, %v", text, usage, again, err)
			}
		}
	})
}
