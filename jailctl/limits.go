package jailctl

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/containerd/errdefs"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"jailshim/jailctl/kernel"
	"jailshim/jailctl/plan"
)

// Update implements driver.Container.
func (k *Container) Update(_ context.Context, r *specs.LinuxResources) error {
	f, err := k.rt.machine.facts("")
	if err != nil {
		return err
	}
	l, err := plan.NewLimits(r, f)
	if err != nil {
		return errorf(k.state.Jail, "%w", err)
	}
	if err := k.limit(l); err != nil {
		return errorf(k.state.Jail, "%w", err)
	}
	k.mu.Lock()
	if r.Memory != nil && r.Memory.Limit != nil {
		k.state.Memory = l.Memory
	}
	if r.Pids != nil {
		k.state.Pids = l.Pids
	}
	k.mu.Unlock()
	return k.save()
}

// limit puts limits into force. Rules may be made before their jail.
func (k *Container) limit(l plan.Limits) error {
	for _, gone := range l.Remove {
		resource, action, _ := strings.Cut(gone, ":")
		if err := kernel.RemoveRule(k.state.Jail, resource, action); err != nil {
			return err
		}
	}
	for _, rule := range l.Rules {
		rule.Jail = k.state.Jail
		// A rule that denies replaces its forerunner, others are added to it.
		if err := kernel.RemoveRule(rule.Jail, rule.Resource, rule.Action); err != nil {
			return explainRule(rule, err)
		}
		if err := kernel.AddRule(rule); err != nil {
			return explainRule(rule, err)
		}
	}
	return k.limitCPUs(l)
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
