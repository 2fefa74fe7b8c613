package e2e

import (
	"testing"

	cgroup1 "github.com/containerd/cgroups/v3/cgroup1/stats"
	cgroup2 "github.com/containerd/cgroups/v3/cgroup2/stats"
	"github.com/containerd/containerd/api/types"
	"github.com/containerd/typeurl/v2"
)

// memoryUsage reads metrics as containerd's clients do, who know these two types.
func memoryUsage(t *testing.T, m *types.Metric) uint64 {
	t.Helper()
	usage, _ := memoryMetrics(t, m)
	return usage
}

// memoryMetrics returns the memory in use, in bytes, and how many processes were killed for
// want of it.
func memoryMetrics(t *testing.T, m *types.Metric) (usage, kills uint64) {
	t.Helper()
	v, err := typeurl.UnmarshalAny(m.Data)
	if err != nil {
		t.Fatalf("metrics of type %s: %v", m.Data.GetTypeUrl(), err)
	}
	switch v := v.(type) {
	case *cgroup1.Metrics:
		return v.GetMemory().GetUsage().GetUsage(), v.GetMemoryOomControl().GetOomKill()
	case *cgroup2.Metrics:
		return v.GetMemory().GetUsage(), v.GetMemoryEvents().GetOomKill()
	default:
		t.Fatalf("metrics are a %T, which no client knows", v)
		return 0, 0
	}
}
