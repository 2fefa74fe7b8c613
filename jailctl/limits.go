package jailctl

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"jailshim/jailctl/kernel"
	"jailshim/jailctl/plan"
)

// Update implements driver.Container. On an error rules, processors and what the state
// says of them are as before.
func (k *Container) Update(_ context.Context, r *specs.LinuxResources) error {
	f, err := k.rt.machine.facts("")
	if err != nil {
		return err
	}
	k.changing.Lock()
	defer k.changing.Unlock()
	r = k.whole(r)
	l, err := plan.NewLimits(r, f)
	if err != nil {
		return errorf(k.state.Jail, "%w", err)
	}
	before, err := k.inForce(l)
	if err != nil {
		return errorf(k.state.Jail, "limits: %w", err)
	}
	err = k.limit(l)
	if err == nil {
		err = k.setLimits(r, l)
	}
	if err != nil {
		return errorf(k.state.Jail, "%w", errors.Join(err, k.putBack(l, before)))
	}
	return nil
}

// whole adds to a request that has one of quota and period the other one, as it is.
func (k *Container) whole(r *specs.LinuxResources) *specs.LinuxResources {
	if r == nil || r.CPU == nil || (r.CPU.Quota == nil) == (r.CPU.Period == nil) {
		return r
	}
	k.mu.Lock()
	quota, period := int64(k.state.Quota), k.state.Period
	k.mu.Unlock()
	out, cpu := *r, *r.CPU
	if cpu.Quota == nil {
		cpu.Quota = &quota
	} else {
		cpu.Period = &period
	}
	out.CPU = &cpu
	return &out
}

// setLimits changes the state as the request says, unless it can't be saved.
func (k *Container) setLimits(r *specs.LinuxResources, l plan.Limits) error {
	k.mu.Lock()
	before := k.state
	if r.Memory != nil && r.Memory.Limit != nil {
		k.state.Memory = l.Memory
	}
	if r.Pids != nil && r.Pids.Limit != nil {
		k.state.Pids = l.Pids
	}
	if r.CPU != nil && r.CPU.Quota != nil {
		k.state.Quota, k.state.Period = l.Quota, l.Period
	}
	k.mu.Unlock()
	err := k.save()
	if err != nil {
		k.mu.Lock()
		k.state.Memory, k.state.Pids, k.state.Quota, k.state.Period = before.Memory, before.Pids, before.Quota, before.Period
		k.mu.Unlock()
	}
	return err
}

// limit puts limits into force. Rules may be made before their jail. Processors come
// first: a request for some that are not there is what mostly fails.
func (k *Container) limit(l plan.Limits) error {
	if err := k.limitCPUs(l); err != nil {
		return err
	}
	if err := k.lift(l); err != nil {
		return err
	}
	for _, rule := range l.Rules {
		rule.Jail = k.state.Jail
		if err := kernel.AddRule(rule); err != nil {
			return explainRule(rule, err)
		}
	}
	return nil
}

// lift removes the rules that limits replace: one that denies replaces its
// forerunner, and others would be added to it.
func (k *Container) lift(l plan.Limits) error {
	for _, gone := range l.Remove {
		resource, action, _ := strings.Cut(gone, ":")
		if err := kernel.RemoveRule(k.state.Jail, resource, action); err != nil {
			return err
		}
	}
	return nil
}

// inForce is what limits a container.
type inForce struct {
	rules []kernel.Rule
	jid   int // 0: the processors are not to be changed
	cpus  kernel.CPUSet
}

// inForce looks at what limits would change.
func (k *Container) inForce(l plan.Limits) (f inForce, err error) {
	if f.rules, err = kernel.Rules(k.state.Jail); err != nil && !errors.Is(err, unix.ENOSYS) {
		return f, err
	}
	if l.CPUs == "" {
		return f, nil
	}
	j, err := k.openJail()
	if err != nil {
		return f, err
	}
	f.jid = j.ID
	f.cpus, err = kernel.JailCPUs(j.ID)
	return f, err
}

// putBack undoes limit, which may have done a part of what it does.
func (k *Container) putBack(l plan.Limits, before inForce) error {
	errs := []error{k.lift(l)}
	if before.jid != 0 {
		errs = append(errs, kernel.SetJailCPUs(before.jid, before.cpus))
	}
	for _, rule := range before.rules {
		if slices.Contains(l.Remove, rule.Resource+":"+rule.Action) {
			if err := kernel.AddRule(rule); err != nil {
				errs = append(errs, explainRule(rule, err))
			}
		}
	}
	return errors.Join(errs...)
}

func explainRule(r kernel.Rule, err error) error {
	if errors.Is(err, unix.ENOSYS) {
		return fmt.Errorf("limit %s: resource accounting is off; put kern.racct.enable=1 into /boot/loader.conf and reboot: %w: %w", r.Resource, errdefs.ErrFailedPrecondition, err)
	}
	return fmt.Errorf("limit %s: %w", r.Resource, err)
}

func (k *Container) limitCPUs(l plan.Limits) error {
	if l.CPUs == "" && l.Mems == "" {
		return nil
	}
	j, err := k.openJail()
	if err != nil {
		return err
	}
	if l.CPUs != "" {
		set, err := kernel.ParseCPUs(l.CPUs)
		if err != nil {
			return fmt.Errorf("processors %q: %w: %w", l.CPUs, errdefs.ErrInvalidArgument, err)
		}
		if err := kernel.SetJailCPUs(j.ID, set); err != nil {
			return fmt.Errorf("processors %q: %w", l.CPUs, err)
		}
	}
	if l.Mems != "" {
		if err := kernel.SetJailDomains(j.ID, l.Mems); err != nil {
			return fmt.Errorf("memory domains %q: %w", l.Mems, err)
		}
	}
	return nil
}
