package task

import (
	"context"
	"fmt"

	"github.com/containerd/cgroups/v3/cgroup2/stats"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"jailshim/driver"
)

// stats returns the metrics of the container, also when its init has ended.
func (c *container) stats(ctx context.Context) (*anypb.Any, error) {
	used, err := c.driver.Stats(ctx)
	if err != nil {
		return nil, err
	}
	switch m := used.(type) {
	case *driver.Usage:
		return toAny(metrics(m))
	case proto.Message:
		return toAny(m)
	}
	return nil, fmt.Errorf("statistics of type %T", used)
}

// metrics is the message that clients of containerd know how to decode.
func metrics(u *driver.Usage) *stats.Metrics {
	return &stats.Metrics{
		Pids: &stats.PidsStat{Current: u.Pids, Limit: u.PidsLimit},
		CPU: &stats.CPUStat{
			UsageUsec:  uint64(u.CPU.Microseconds()),
			UserUsec:   uint64(u.User.Microseconds()),
			SystemUsec: uint64(u.System.Microseconds()),
		},
		Memory: &stats.MemoryStat{Usage: u.Memory, UsageLimit: u.MemoryLimit, Anon: u.Memory},
		// CRI looks there for why a container was killed.
		MemoryEvents: &stats.MemoryEvents{OomKill: u.OOMKills},

		Io: &stats.IOStat{Usage: []*stats.IOEntry{{Rios: u.Reads, Wios: u.Writes}}},
	}
}
