package task

import (
	"testing"
	"time"

	"github.com/containerd/cgroups/v3/cgroup2/stats"
	"github.com/containerd/typeurl/v2"

	"jailshim/driver"
)

// Clients know cgroups' messages only.
func TestMetrics_ClientsDecodeThem(t *testing.T) {
	a, err := toAny(metrics(&driver.Usage{
		CPU: 30 * time.Microsecond, User: 10 * time.Microsecond, System: 20 * time.Microsecond,
		Memory: 5, MemoryLimit: 6, Pids: 2, PidsLimit: 3, Reads: 7, Writes: 8, OOMKills: 9,
	}))
	if err != nil {
		t.Fatal(err)
	}
	v, err := typeurl.UnmarshalAny(a)
	if err != nil {
		t.Fatal(err)
	}
	m, ok := v.(*stats.Metrics)
	if !ok {
		t.Fatalf("decoded is %T", v)
	}
	if m.CPU.UsageUsec != 30 || m.CPU.UserUsec != 10 || m.CPU.SystemUsec != 20 || m.Memory.Usage != 5 || m.Memory.UsageLimit != 6 ||
		m.Memory.Anon != 5 || m.Pids.Current != 2 || m.Pids.Limit != 3 || m.Io.Usage[0].Rios != 7 || m.Io.Usage[0].Wios != 8 || m.MemoryEvents.OomKill != 9 {
		t.Errorf("decoded: %v", m)
	}
}
