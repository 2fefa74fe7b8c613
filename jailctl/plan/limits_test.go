package plan

import (
	"fmt"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func number[T any](n T) *T { return &n }

func TestNewLimits(t *testing.T) {
	rates := func(r ...uint64) []specs.LinuxThrottleDevice {
		var out []specs.LinuxThrottleDevice
		for _, n := range r {
			out = append(out, specs.LinuxThrottleDevice{Rate: n})
		}
		return out
	}
	for _, test := range []struct {
		what      string
		resources *specs.LinuxResources
		rules     string
		remove    string
	}{
		{"nothing", nil, "", ""},
		{"ctr's shares", &specs.LinuxResources{CPU: &specs.LinuxCPU{Shares: number(uint64(1024))}}, "", ""},
		{"memory", &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: number(int64(4096)), Swap: number(int64(8192))}},
			"memoryuse:sigkill=4096 memoryuse:devctl=4096", "memoryuse:sigkill memoryuse:devctl"},
		{"memory lifted", &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: number(int64(-1))}}, "", "memoryuse:sigkill memoryuse:devctl"},
		{"memory 0", &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: number(int64(0))}}, "", "memoryuse:sigkill memoryuse:devctl"},
		{"half a processor", &specs.LinuxResources{CPU: &specs.LinuxCPU{Quota: number(int64(50000)), Period: number(uint64(100000))}}, "pcpu:deny=50", "pcpu:deny"},
		{"two and a half", &specs.LinuxResources{CPU: &specs.LinuxCPU{Quota: number(int64(250000))}}, "pcpu:deny=250", "pcpu:deny"},
		{"next to nothing", &specs.LinuxResources{CPU: &specs.LinuxCPU{Quota: number(int64(1)), Period: number(uint64(1000000))}}, "pcpu:deny=1", "pcpu:deny"},
		{"no quota", &specs.LinuxResources{CPU: &specs.LinuxCPU{Quota: number(int64(-1)), Period: number(uint64(100000))}}, "", "pcpu:deny"},
		{"period alone", &specs.LinuxResources{CPU: &specs.LinuxCPU{Period: number(uint64(100000))}}, "", ""},
		{"pids", &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: number(int64(7))}}, "maxproc:deny=7", "maxproc:deny"},
		{"no pids", &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: number(int64(-1))}}, "", "maxproc:deny"},
		{"io", &specs.LinuxResources{BlockIO: &specs.LinuxBlockIO{
			ThrottleReadBpsDevice: rates(10, 20), ThrottleWriteBpsDevice: rates(1), ThrottleReadIOPSDevice: rates(2), ThrottleWriteIOPSDevice: rates(3)}},
			"readbps:throttle=30 writebps:throttle=1 readiops:throttle=2 writeiops:throttle=3",
			"readbps:throttle writebps:throttle readiops:throttle writeiops:throttle"},
	} {
		l, err := NewLimits(test.resources, machine())
		if err != nil {
			t.Errorf("%s: %v", test.what, err)
			continue
		}
		var rules []string
		for _, r := range l.Rules {
			rules = append(rules, fmt.Sprintf("%s:%s=%d", r.Resource, r.Action, r.Amount))
		}
		if got := strings.Join(rules, " "); got != test.rules {
			t.Errorf("%s: rules %q, want %q", test.what, got, test.rules)
		}
		if got := strings.Join(l.Remove, " "); got != test.remove {
			t.Errorf("%s: remove %q, want %q", test.what, got, test.remove)
		}
		// Lifting a limit needs no accounting; setting one does, and says how.
		l, err = NewLimits(test.resources, Facts{})
		if test.rules == "" && (err != nil || len(l.Remove) > 0) {
			t.Errorf("%s: without accounting: %v", test.what, err)
		}
		if test.rules != "" && (!errdefs.IsFailedPrecondition(err) || !strings.Contains(err.Error(), "kern.racct.enable=1") ||
			!strings.HasPrefix(err.Error(), "linux.resources.")) {
			t.Errorf("%s: without accounting: %v", test.what, err)
		}
	}
}

func TestNewLimits_CPUSets(t *testing.T) {
	l, err := NewLimits(&specs.LinuxResources{CPU: &specs.LinuxCPU{Cpus: "0-2,4", Mems: "0"}}, Facts{})
	if err != nil || l.CPUs != "0-2,4" || l.Mems != "0" {
		t.Errorf("%+v, %v", l, err)
	}
	for _, bad := range []specs.LinuxCPU{{Cpus: "x"}, {Mems: "1-"}} {
		_, err := NewLimits(&specs.LinuxResources{CPU: &bad}, Facts{})
		if !errdefs.IsInvalidArgument(err) || !strings.Contains(err.Error(), "linux.resources.cpu.") {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

func TestNew_Limits(t *testing.T) {
	s := with(func(s *specs.Spec) {
		s.Linux = &specs.Linux{Resources: &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: number(int64(4096))}, Pids: &specs.LinuxPids{Limit: number(int64(3))}}}
	})
	p := mustPlan(t, s)
	if p.Limits.Memory != 4096 || p.Limits.Pids != 3 || len(p.Limits.Remove) > 0 {
		t.Errorf("%+v", p.Limits)
	}
	c := config()
	c.Facts.Racct = false
	if _, err := New(s, c); !errdefs.IsFailedPrecondition(err) {
		t.Error(err)
	}
}
