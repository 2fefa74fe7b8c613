package firewall

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"

	"github.com/containerd/errdefs"

	"jailshim/netsetup/firewall/pf"
	"jailshim/netsetup/locked"
)

// pfKernel is what the driver wants of pf.
type pfKernel interface {
	running() (loaded, enabled bool, err error)
	mainRules(ctx context.Context) (string, error)
	load(ctx context.Context, anchor, rules string) error
	exists(anchor string) (bool, error)
	anchors(parent string) ([]string, error)
	flush(anchor string) error
	killStates(a netip.Addr) error
	filtersLocal() (bool, error)
	uplinks() ([]Uplink, error)
}

// pfDriver is the driver for pf.
type pfDriver struct {
	kernel pfKernel
	folder *locked.Folder
}

var _ Driver = (*pfDriver)(nil)

const pfRecordName = "pf"

// update calls change with the record, and writes it when that has succeeded.
func (d *pfDriver) update(ctx context.Context, change func(r *record) error) error {
	return d.folder.Do(ctx, func() error {
		var r record
		if err := d.folder.Read(pfRecordName, &r); err != nil {
			return err
		}
		if err := change(&r); err != nil {
			return err
		}
		return d.folder.Write(pfRecordName, r)
	})
}

func (d *pfDriver) Name() string { return PF }

// localWarning tells how the host reaches ports of its own containers. pf reads the
// variable when it is enabled (hook_pf, sys/netpfil/pf/pf_ioctl.c).
const localWarning = "the host itself can't reach ports that its containers publish: set net.pf.filter_local=1 in /etc/sysctl.conf and run \"sysctl net.pf.filter_local=1; service pf restart\""

func (d *pfDriver) Check(ctx context.Context) ([]string, error) {
	if err := d.enabled(); err != nil {
		return nil, err
	}
	return d.hooked(ctx)
}

func (d *pfDriver) AddNetwork(ctx context.Context, n Network) (warnings []string, err error) {
	if err := d.enabled(); err != nil {
		return nil, fmt.Errorf("rules of network %q: %w", n.Name, err)
	}
	err = d.update(ctx, func(r *record) error {
		moved, err := r.refresh(d.kernel.uplinks)
		if err != nil {
			return err
		}
		if !r.set(n) && !moved {
			there, err := d.kernel.exists(pfAnchor(ID(n.Name, "")))
			if err != nil || there {
				return err
			}
		}
		if warnings, err = d.hooked(ctx); err != nil {
			return err
		}
		if !moved {
			return d.loadNetwork(ctx, n, r.Uplinks)
		}
		// All have rules for the uplinks. If one's can't be loaded, the record stays
		// as it was, and the next call finds that they have moved.
		for _, n := range r.Networks {
			if err := d.loadNetwork(ctx, n, r.Uplinks); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("rules of network %q: %w", n.Name, err)
	}
	return warnings, nil
}

func (d *pfDriver) loadNetwork(ctx context.Context, n Network, uplinks []Uplink) error {
	if err := d.kernel.load(ctx, pfAnchor(ID(n.Name, "")), pfNetworkRules(n, uplinks)); err != nil {
		return fmt.Errorf("anchor of network %q: %w", n.Name, err)
	}
	return nil
}

// enabled returns an error if pf doesn't filter.
func (d *pfDriver) enabled() error {
	loaded, enabled, err := d.kernel.running()
	switch {
	case err != nil:
		return err
	case !loaded:
		return fmt.Errorf("pf is not loaded: set pf_enable=\"YES\" in /etc/rc.conf and run \"service pf start\": %w", errdefs.ErrFailedPrecondition)
	case !enabled:
		return fmt.Errorf("pf is not enabled: run \"service pf start\" or \"pfctl -e\": %w", errdefs.ErrFailedPrecondition)
	}
	return nil
}

// hooked returns an error if the main ruleset doesn't evaluate our anchors.
func (d *pfDriver) hooked(ctx context.Context) (warnings []string, err error) {
	main, err := d.kernel.mainRules(ctx)
	if err != nil {
		return nil, err
	}
	if err := checkPFHooks(main); err != nil {
		return nil, err
	}
	local, err := d.kernel.filtersLocal()
	if err == nil && !local {
		warnings = append(warnings, localWarning)
	}
	return warnings, err
}

func (d *pfDriver) RemoveNetwork(ctx context.Context, n Network) error {
	err := d.update(ctx, func(r *record) error {
		r.drop(n.Name)
		return d.flush(ID(n.Name, ""))
	})
	if err != nil {
		return fmt.Errorf("remove the rules of network %q: %w", n.Name, err)
	}
	return nil
}

func (d *pfDriver) Publish(ctx context.Context, a Attachment) error {
	if len(a.Ports) == 0 {
		return nil
	}
	rules, err := pfPublishRules(a)
	if err == nil {
		err = d.kernel.load(ctx, pfAnchor(ID(a.Network.Name, a.Owner)), rules)
	}
	if err != nil {
		return fmt.Errorf("publish ports of %q: %w", a.Owner, err)
	}
	return nil
}

func (d *pfDriver) Unpublish(ctx context.Context, a Attachment) error {
	var errs []error
	if len(a.Ports) > 0 {
		errs = append(errs, d.flush(ID(a.Network.Name, a.Owner)))
	}
	for _, addr := range []netip.Addr{a.IPv4, a.IPv6} {
		if addr.IsValid() {
			errs = append(errs, gone(d.kernel.killStates(addr)))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("unpublish ports of %q: %w", a.Owner, err)
	}
	return nil
}

func (d *pfDriver) List(context.Context) ([]Entry, error) {
	names, err := d.kernel.anchors(pfRoot)
	if err := gone(err); err != nil {
		return nil, fmt.Errorf("list pf's anchors: %w", err)
	}
	var list []Entry
	for _, name := range names {
		list = append(list, Entry{ID: name})
	}
	return list, nil
}

func (d *pfDriver) Remove(ctx context.Context, e Entry) error {
	return d.update(ctx, func(r *record) error {
		// A network's would come back with the next change of the uplinks.
		r.Networks = slices.DeleteFunc(r.Networks, func(n Network) bool { return ID(n.Name, "") == e.ID })
		return d.flush(e.ID)
	})
}

func (d *pfDriver) flush(id string) error {
	if err := gone(d.kernel.flush(pfAnchor(id))); err != nil {
		return fmt.Errorf("remove pf's anchor %q: %w", pfAnchor(id), err)
	}
	return nil
}

// gone makes nothing of the error that pf isn't loaded: then it has no rules either.
func gone(err error) error {
	if errors.Is(err, syscall.ENOENT) {
		return nil
	}
	return err
}

// pfCalls are the real calls.
type pfCalls struct{}

func (pfCalls) running() (bool, bool, error)                  { return pf.Running() }
func (pfCalls) mainRules(ctx context.Context) (string, error) { return pf.MainRules(ctx) }
func (pfCalls) load(ctx context.Context, anchor, text string) error {
	return pf.Load(ctx, anchor, text)
}
func (pfCalls) exists(anchor string) (bool, error)      { return pf.Exists(anchor) }
func (pfCalls) anchors(parent string) ([]string, error) { return pf.Anchors(parent) }
func (pfCalls) flush(anchor string) error               { return pf.Flush(anchor) }
func (pfCalls) killStates(a netip.Addr) error           { return pf.KillStates(a) }
func (pfCalls) filtersLocal() (bool, error)             { return sysctlBool("net.pf.filter_local") }
func (pfCalls) uplinks() ([]Uplink, error)              { return uplinks() }
