package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/containerd/cgroups/v3/cgroup2/stats"
	runc "github.com/containerd/go-runc"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/urfave/cli"

	"jailshim/jailctl"
)

func (p *Program) eventsCommand(ctx context.Context) cli.Command {
	return cli.Command{
		Name:      "events",
		Usage:     "print what a container uses, at intervals until it has stopped",
		ArgsUsage: "<container-id>",
		Flags: []cli.Flag{
			cli.DurationFlag{Name: "interval", Value: 5 * time.Second, Usage: "time between two lines"},
			cli.BoolFlag{Name: "stats", Usage: "print one line"},
		},
		Action: func(c *cli.Context) error {
			id, err := id(c)
			if err != nil {
				return err
			}
			interval := c.Duration("interval")
			if interval <= 0 {
				return errors.New("--interval must be greater than 0")
			}
			k, err := p.load(id)
			if err != nil {
				return err
			}
			if k.Status() == specs.StateStopped {
				return fmt.Errorf("container with id %s is not running", id)
			}
			if c.Bool("stats") {
				return p.event(ctx, id, k)
			}
			return p.events(ctx, id, k, interval)
		},
	}
}

// events prints a line at each interval.
func (p *Program) events(ctx context.Context, id string, k *jailctl.Container, interval time.Duration) error {
	t := time.NewTicker(interval)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.C:
		}
		if k.Status() == specs.StateStopped {
			return nil
		}
		if err := p.event(ctx, id, k); err != nil {
			return err
		}
	}
}

// event is a line of runc's events; "oom" events, which come from cgroups, there
// are none.
type event struct {
	Type string     `json:"type"`
	ID   string     `json:"id"`
	Data runc.Stats `json:"data"`
}

func (p *Program) event(ctx context.Context, id string, k *jailctl.Container) error {
	m, err := k.Stats(ctx)
	if err != nil {
		return err
	}
	metrics, ok := m.(*stats.Metrics)
	if !ok {
		return fmt.Errorf("statistics of type %T", m)
	}
	return json.NewEncoder(p.Stdout).Encode(event{"stats", id, asRuncStats(metrics)})
}

// asRuncStats translates statistics as runc would that read them from cgroups of
// version 2.
func asRuncStats(m *stats.Metrics) runc.Stats {
	const usec = uint64(time.Microsecond)
	var s runc.Stats
	if c := m.GetCPU(); c != nil {
		s.Cpu.Usage = runc.CpuUsage{Total: c.UsageUsec * usec, Kernel: c.SystemUsec * usec, User: c.UserUsec * usec}
		s.Cpu.Throttling = runc.Throttling{Periods: c.NrPeriods, ThrottledPeriods: c.NrThrottled, ThrottledTime: c.ThrottledUsec * usec}
	}
	if c := m.GetMemory(); c != nil {
		s.Memory.Cache = c.File
		s.Memory.Usage = runc.MemoryEntry{Limit: c.UsageLimit, Usage: c.Usage, Max: c.MaxUsage}
		s.Memory.Swap = runc.MemoryEntry{Limit: c.SwapLimit, Usage: c.SwapUsage, Max: c.SwapMaxUsage}
		s.Memory.Raw = map[string]uint64{"anon": c.Anon, "file": c.File, "pgfault": c.Pgfault, "pgmajfault": c.Pgmajfault}
	}
	if c := m.GetPids(); c != nil {
		s.Pids = runc.Pids{Current: c.Current, Limit: c.Limit}
	}
	for _, e := range m.GetIo().GetUsage() {
		s.Blkio.IoServicedRecursive = append(s.Blkio.IoServicedRecursive,
			runc.BlkioEntry{Major: e.Major, Minor: e.Minor, Op: "Read", Value: e.Rios},
			runc.BlkioEntry{Major: e.Major, Minor: e.Minor, Op: "Write", Value: e.Wios})
	}
	return s
}
