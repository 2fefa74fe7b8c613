package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	runc "github.com/containerd/go-runc"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/urfave/cli"

	"jailshim/driver"
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
				return p.event(id, k)
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
		if err := p.event(id, k); err != nil {
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

func (p *Program) event(id string, k *jailctl.Container) error {
	u, err := k.Usage()
	if err != nil {
		return err
	}
	return json.NewEncoder(p.Stdout).Encode(event{"stats", id, asRuncStats(u)})
}

// asRuncStats translates statistics as runc would that read them from cgroups of
// version 2.
func asRuncStats(u *driver.Usage) runc.Stats {
	var s runc.Stats
	s.Cpu.Usage = runc.CpuUsage{Total: uint64(u.CPU), Kernel: uint64(u.System), User: uint64(u.User)}
	s.Memory.Usage = runc.MemoryEntry{Limit: u.MemoryLimit, Usage: u.Memory}
	s.Memory.Raw = map[string]uint64{"anon": u.Memory}
	s.Pids = runc.Pids{Current: u.Pids, Limit: u.PidsLimit}
	s.Blkio.IoServicedRecursive = []runc.BlkioEntry{{Op: "Read", Value: u.Reads}, {Op: "Write", Value: u.Writes}}
	return s
}
