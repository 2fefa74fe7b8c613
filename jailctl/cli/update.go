package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"

	"github.com/docker/go-units"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/urfave/cli"

	"jailshim/jailctl"
)

func (p *Program) updateCommand(ctx context.Context) cli.Command {
	flags := []cli.Flag{
		cli.StringFlag{Name: "resources, r", Usage: "file with linux.resources in JSON, '-' for stdin; the other flags are ignored then"},
	}
	for _, f := range limitFlags {
		flags = append(flags, cli.StringFlag{Name: f.name, Usage: f.usage, Hidden: f.usage == ""})
	}
	return cli.Command{
		Name:      "update",
		Usage:     "change the limits of a container",
		ArgsUsage: "<container-id>",
		Flags:     flags,
		Action: func(c *cli.Context) error {
			id, err := id(c)
			if err != nil {
				return err
			}
			// Before stdin is read, which may take long.
			if _, err := p.load(id); err != nil {
				return err
			}
			r, err := p.resources(c)
			if err != nil {
				return err
			}
			return p.change(id, func(k *jailctl.Container) error {
				if s := k.Status(); s == specs.StateStopped {
					return fmt.Errorf("container %q: container not running: it is %s", id, s)
				}
				return k.Update(ctx, r)
			})
		},
	}
}

// limitFlag is a flag that sets one limit.
type limitFlag struct {
	name  string
	usage string // empty: the flag is obsolete
	set   func(r *specs.LinuxResources, text string) error
}

// limitFlags are runc's. Whether a jail can be limited so is for the plan to say.
var limitFlags = []limitFlag{
	{"blkio-weight", "weight of the block I/O", func(r *specs.LinuxResources, text string) error {
		n, err := strconv.ParseUint(text, 10, 16)
		w := uint16(n)
		blockIO(r).Weight = &w
		return err
	}},
	{"cpu-period", "period of --cpu-quota, in microseconds", unsigned(func(r *specs.LinuxResources) **uint64 { return &cpu(r).Period })},
	{"cpu-quota", "processor time in a period, in microseconds", signed(func(r *specs.LinuxResources) **int64 { return &cpu(r).Quota })},
	{"cpu-burst", "processor time to save up, in microseconds", unsigned(func(r *specs.LinuxResources) **uint64 { return &cpu(r).Burst })},
	{"cpu-share", "weight of the processor time", unsigned(func(r *specs.LinuxResources) **uint64 { return &cpu(r).Shares })},
	{"cpu-rt-period", "period of --cpu-rt-runtime, in microseconds", unsigned(func(r *specs.LinuxResources) **uint64 { return &cpu(r).RealtimePeriod })},
	{"cpu-rt-runtime", "real time in a period, in microseconds", signed(func(r *specs.LinuxResources) **int64 { return &cpu(r).RealtimeRuntime })},
	{"cpu-idle", "1: run when nothing else does", signed(func(r *specs.LinuxResources) **int64 { return &cpu(r).Idle })},
	{"cpuset-cpus", "processors, such as 0-3,5", func(r *specs.LinuxResources, text string) error {
		cpu(r).Cpus = text
		return nil
	}},
	{"cpuset-mems", "memory domains, such as 0-1", func(r *specs.LinuxResources, text string) error {
		cpu(r).Mems = text
		return nil
	}},
	{"memory", "memory in bytes, or with a unit such as 64m; -1 for no limit", size(func(r *specs.LinuxResources) **int64 { return &memory(r).Limit })},
	{"memory-reservation", "soft limit of the memory", size(func(r *specs.LinuxResources) **int64 { return &memory(r).Reservation })},
	{"memory-swap", "memory and swap together", size(func(r *specs.LinuxResources) **int64 { return &memory(r).Swap })},
	{"pids-limit", "number of processes; -1 for no limit", signed(func(r *specs.LinuxResources) **int64 { return &pids(r).Limit })},
	{"kernel-memory", "", obsolete("kernel-memory")},
	{"kernel-memory-tcp", "", obsolete("kernel-memory-tcp")},
}

// obsolete is for flags that runc takes, and warns of, too.
func obsolete(name string) func(*specs.LinuxResources, string) error {
	return func(*specs.LinuxResources, string) error {
		slog.Warn("a flag has no effect any more", "flag", name)
		return nil
	}
}

func blockIO(r *specs.LinuxResources) *specs.LinuxBlockIO {
	if r.BlockIO == nil {
		r.BlockIO = new(specs.LinuxBlockIO)
	}
	return r.BlockIO
}

func cpu(r *specs.LinuxResources) *specs.LinuxCPU {
	if r.CPU == nil {
		r.CPU = new(specs.LinuxCPU)
	}
	return r.CPU
}

func memory(r *specs.LinuxResources) *specs.LinuxMemory {
	if r.Memory == nil {
		r.Memory = new(specs.LinuxMemory)
	}
	return r.Memory
}

func pids(r *specs.LinuxResources) *specs.LinuxPids {
	if r.Pids == nil {
		r.Pids = new(specs.LinuxPids)
	}
	return r.Pids
}

func unsigned(field func(*specs.LinuxResources) **uint64) func(*specs.LinuxResources, string) error {
	return func(r *specs.LinuxResources, text string) error {
		n, err := strconv.ParseUint(text, 10, 64)
		*field(r) = &n
		return err
	}
}

func signed(field func(*specs.LinuxResources) **int64) func(*specs.LinuxResources, string) error {
	return func(r *specs.LinuxResources, text string) error {
		n, err := strconv.ParseInt(text, 10, 64)
		*field(r) = &n
		return err
	}
}

func size(field func(*specs.LinuxResources) **int64) func(*specs.LinuxResources, string) error {
	return func(r *specs.LinuxResources, text string) error {
		n := int64(-1)
		var err error
		if text != "-1" {
			n, err = units.RAMInBytes(text)
		}
		*field(r) = &n
		return err
	}
}

// resources reads the new limits. What is not given keeps what is set.
func (p *Program) resources(c *cli.Context) (*specs.LinuxResources, error) {
	r := new(specs.LinuxResources)
	if path := c.String("resources"); path != "" {
		var b []byte
		var err error
		if path == "-" {
			b, err = io.ReadAll(p.Stdin)
		} else {
			b, err = os.ReadFile(path)
		}
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(b, r); err != nil {
			return nil, fmt.Errorf("--resources %s: %w", path, err)
		}
		return r, nil
	}
	for _, f := range limitFlags {
		if text := c.String(f.name); text != "" {
			if err := f.set(r, text); err != nil {
				return nil, fmt.Errorf("invalid value for %s: %w", f.name, err)
			}
		}
	}
	return r, nil
}
