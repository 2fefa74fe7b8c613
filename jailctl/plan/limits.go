package plan

import (
	"fmt"
	"math"

	"github.com/containerd/errdefs"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"jailshim/jailctl/kernel"
)

// Limits bound what the processes of a container use together.
type Limits struct {
	// Rules of resource control, without the jail's name.
	Rules []kernel.Rule
	// Remove lists "resource:action" of the rules that an update takes away
	// before it adds Rules: of those that are lifted, and of those that are set
	// anew, since the kernel keeps a rule of another amount beside the new one.
	// Empty while accounting is off: there are no rules then.
	Remove []string
	// CPUs and Mems are lists of processors and memory domains, "0-3,5"; empty:
	// unchanged.
	CPUs, Mems string
	Memory     uint64 // bytes; 0: no limit
	Pids       uint64 // processes; 0: no limit
	// Quota is the processor time in each Period, both in microseconds. Quota 0: no limit;
	// Period 0: the default.
	Quota, Period uint64
}

// defaultPeriod is that of cpu.quota, in microseconds.
const defaultPeriod = 100000

// NewLimits translates resource limits of a container, new or running.
//
//   - memory.limit kills the process that goes beyond it (memoryuse:sigkill) and
//     tells devd; denying would make nothing fail, but page the jail out.
//   - cpu.quota becomes a share of one processor in percent (pcpu:deny).
//   - pids.limit bounds processes (maxproc:deny), while Linux counts threads: a
//     Go or Java program with hundreds of threads stays one process here.
//   - blockIO rates of all devices are added up: rates are per jail here, and no
//     device gets less than was asked for.
//
// 0 and below is no limit. A rule while accounting is off is an error that wraps
// errdefs.ErrFailedPrecondition; bad values wrap errdefs.ErrInvalidArgument.
func NewLimits(r *specs.LinuxResources, facts Facts) (Limits, error) {
	l := limiter{racct: facts.Racct}
	if r == nil {
		return l.Limits, nil
	}
	if m := r.Memory; m != nil && m.Limit != nil {
		l.Memory = positive(*m.Limit)
		for _, action := range []string{"sigkill", "devctl"} {
			if err := l.rule("memory.limit", "memoryuse", action, l.Memory); err != nil {
				return Limits{}, err
			}
		}
	}
	if err := l.cpu(r.CPU); err != nil {
		return Limits{}, err
	}
	if r.Pids != nil && r.Pids.Limit != nil {
		l.Pids = positive(*r.Pids.Limit)
		if err := l.rule("pids.limit", "maxproc", "deny", l.Pids); err != nil {
			return Limits{}, err
		}
	}
	if err := l.blockIO(r.BlockIO); err != nil {
		return Limits{}, err
	}
	return l.Limits, nil
}

type limiter struct {
	Limits
	racct bool
}

// rule sets a limit, or lifts it if the amount is 0.
func (l *limiter) rule(field, resource, action string, amount uint64) error {
	if l.racct {
		l.Remove = append(l.Remove, resource+":"+action)
	}
	if amount == 0 {
		return nil
	}
	if !l.racct {
		return fmt.Errorf("linux.resources.%s: resource accounting is off, which limits need; put kern.racct.enable=1 in /boot/loader.conf and reboot: %w",
			field, errdefs.ErrFailedPrecondition)
	}
	l.Rules = append(l.Rules, kernel.Rule{Resource: resource, Action: action, Amount: amount})
	return nil
}

func (l *limiter) cpu(c *specs.LinuxCPU) error {
	if c == nil {
		return nil
	}
	if c.Period != nil {
		l.Period = *c.Period
	}
	if c.Quota != nil {
		l.Quota = positive(*c.Quota)
		period := uint64(defaultPeriod)
		if l.Period > 0 {
			period = l.Period
		}
		percent := uint64(0)
		if l.Quota > 0 {
			percent = uint64(max(1, math.Round(100*float64(l.Quota)/float64(period))))
		}
		if err := l.rule("cpu.quota", "pcpu", "deny", percent); err != nil {
			return err
		}
	}
	for _, s := range []struct {
		field, text string
		to          *string
	}{
		{"cpus", c.Cpus, &l.CPUs},
		{"mems", c.Mems, &l.Mems},
	} {
		if s.text == "" {
			continue
		}
		if _, err := kernel.ParseCPUs(s.text); err != nil {
			return invalid("linux.resources.cpu."+s.field, "%q: %v", s.text, err)
		}
		*s.to = s.text
	}
	return nil
}

func (l *limiter) blockIO(io *specs.LinuxBlockIO) error {
	if io == nil {
		return nil
	}
	for _, s := range []struct {
		field, resource string
		devices         []specs.LinuxThrottleDevice
	}{
		{"throttleReadBpsDevice", "readbps", io.ThrottleReadBpsDevice},
		{"throttleWriteBpsDevice", "writebps", io.ThrottleWriteBpsDevice},
		{"throttleReadIOPSDevice", "readiops", io.ThrottleReadIOPSDevice},
		{"throttleWriteIOPSDevice", "writeiops", io.ThrottleWriteIOPSDevice},
	} {
		if len(s.devices) == 0 {
			continue
		}
		sum := uint64(0)
		for _, d := range s.devices {
			if d.Rate > math.MaxInt64-sum {
				return invalid("linux.resources.blockIO."+s.field, "%d is more than can be counted", d.Rate)
			}
			sum += d.Rate
		}
		if err := l.rule("blockIO."+s.field, s.resource, "throttle", sum); err != nil {
			return err
		}
	}
	return nil
}

func positive(n int64) uint64 { return uint64(max(n, 0)) }
