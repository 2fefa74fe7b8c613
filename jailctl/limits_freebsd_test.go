package jailctl

import (
	"context"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"jailshim/internal/need"
	"jailshim/jailctl/kernel"
)

// limited is a running container with limits, by the rules in force.
func limited(t *testing.T, rt *testRuntime) (k *Container, rules []string) {
	t.Helper()
	if !kernel.RacctEnabled() {
		need.Missing(t, "resource accounting: kern.racct.enable=1 in /boot/loader.conf")
	}
	s := spec("sleep", "1000")
	memory, pids := int64(1<<30), int64(50)
	s.Linux = &specs.Linux{Resources: &specs.LinuxResources{
		Memory: &specs.LinuxMemory{Limit: &memory}, Pids: &specs.LinuxPids{Limit: &pids},
	}}
	l := rt.create(t, "limited", s)
	l.start()
	k = l.Container.(*Container)
	rules = rulesOf(t, k)
	if len(rules) != 3 {
		t.Fatalf("rules %q", rules)
	}
	return k, rules
}

func rulesOf(t *testing.T, k *Container) []string {
	t.Helper()
	all, err := kernel.Rules(k.JailName())
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, r := range all {
		texts = append(texts, r.String())
	}
	slices.Sort(texts)
	return texts
}

func TestUpdate_Fails_LimitsAreAsBefore(t *testing.T) {
	rt := newRuntime(t)
	k, rules := limited(t, rt)
	cpus, err := kernel.JailCPUs(k.state.JID)
	if err != nil {
		t.Fatal(err)
	}
	memory, pids, quota, period := int64(2<<30), int64(60), int64(math.MaxInt64), uint64(1)
	away := func() error { return os.Rename(k.Folder(), k.Folder()+"-away") }
	back := func() error { return os.Rename(k.Folder()+"-away", k.Folder()) }
	none := func() error { return nil }
	for name, c := range map[string]struct {
		cpu          *specs.LinuxCPU
		before, then func() error
	}{
		"a processor that is not there": {&specs.LinuxCPU{Cpus: "200"}, none, none},
		"a domain that is not there":    {&specs.LinuxCPU{Cpus: "0", Mems: "3"}, none, none},
		"a rule that is refused":        {&specs.LinuxCPU{Cpus: "0", Quota: &quota, Period: &period}, none, none},
		"a state that can't be saved":   {nil, away, back},
	} {
		if err := c.before(); err != nil {
			t.Fatal(err)
		}
		err := k.Update(context.Background(), &specs.LinuxResources{
			Memory: &specs.LinuxMemory{Limit: &memory}, Pids: &specs.LinuxPids{Limit: &pids}, CPU: c.cpu,
		})
		if err := c.then(); err != nil {
			t.Fatal(err)
		}
		if err == nil {
			t.Errorf("%s: no error", name)
		}
		if got := rulesOf(t, k); !slices.Equal(got, rules) {
			t.Errorf("%s: rules %q, want %q", name, got, rules)
		}
		if got, err := kernel.JailCPUs(k.state.JID); err != nil || got != cpus {
			t.Errorf("%s: processors %s, %v, want %s", name, got, err, cpus)
		}
		if k.state.Memory != 1<<30 || k.state.Pids != 50 {
			t.Errorf("%s: the state says %d bytes, %d processes", name, k.state.Memory, k.state.Pids)
		}
	}
}

// Of quota and period a client may change one.
func TestUpdate_HalfOfTheProcessorTime_TheOtherHalfStays(t *testing.T) {
	rt := newRuntime(t)
	k, rules := limited(t, rt)
	share := func(c specs.LinuxCPU, want string) {
		t.Helper()
		if err := k.Update(context.Background(), &specs.LinuxResources{CPU: &c}); err != nil {
			t.Fatal(err)
		}
		var found []string
		for _, rule := range rulesOf(t, k) {
			if !slices.Contains(rules, rule) {
				found = append(found, rule)
			}
		}
		if len(found) != 1 || !strings.HasSuffix(found[0], want) {
			t.Errorf("%+v: rules %q, want one that ends in %q", c, found, want)
		}
	}
	quota := func(n int64) *int64 { return &n }
	period := func(n uint64) *uint64 { return &n }
	share(specs.LinuxCPU{Quota: quota(50000), Period: period(50000)}, "=100")
	share(specs.LinuxCPU{Quota: quota(25000)}, "=50")
	share(specs.LinuxCPU{Period: period(100000)}, "=25")
	if k, err := rt.Load("limited"); err != nil || k.state.Quota != 25000 || k.state.Period != 100000 {
		t.Errorf("the state says %d in %d, %v", k.state.Quota, k.state.Period, err)
	}
}

func TestUpdate_FieldsNotGiven_StayAsTheyAre(t *testing.T) {
	rt := newRuntime(t)
	k, rules := limited(t, rt)
	r := &specs.LinuxResources{Memory: &specs.LinuxMemory{}, Pids: &specs.LinuxPids{}, CPU: &specs.LinuxCPU{}}
	if err := k.Update(context.Background(), r); err != nil {
		t.Fatal(err)
	}
	if got := rulesOf(t, k); !slices.Equal(got, rules) {
		t.Errorf("rules %q, want %q", got, rules)
	}
	if k.state.Memory != 1<<30 || k.state.Pids != 50 {
		t.Errorf("the state says %d bytes, %d processes", k.state.Memory, k.state.Pids)
	}
	unlimited := int64(-1)
	if err := k.Update(context.Background(), &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: &unlimited}}); err != nil {
		t.Fatal(err)
	}
	if got := rulesOf(t, k); len(got) != 2 || k.state.Pids != 0 {
		t.Errorf("without a limit of processes: rules %q, state %d", got, k.state.Pids)
	}
}
