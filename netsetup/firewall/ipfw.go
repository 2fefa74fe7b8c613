package firewall

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/containerd/errdefs"

	"jailshim/netsetup/firewall/ipfw"
	"jailshim/netsetup/locked"
)

// ipfwConn is what the driver wants of ipfw.
type ipfwConn interface {
	Close() error
	AddRules(rules []ipfw.Rule) error
	DeleteRules(set uint8, first, last uint32) error
	DisableSet(set uint8) error
	EnableSet(set uint8) error
	SwapSets(a, b uint8) error
	Rules(first, last uint32) ([]ipfw.Rule, error)
	CreateTable(name string, key ipfw.FlowKey) (created bool, err error)
	DestroyTable(name string) error
	AddEntries(table string, key ipfw.FlowKey, entries []ipfw.Entry) error
	DeleteEntries(table string, key ipfw.FlowKey, entries []ipfw.Entry) error
	SetNAT(n ipfw.Instance) error
	DeleteNAT(number uint16) error
	NATs() ([]uint16, error)
}

// ipfwHost is what it wants of the host.
type ipfwHost struct {
	open         func() (ipfwConn, error)
	uplinks      func() ([]Uplink, error)
	checksSource func() (bool, error)
}

// ipfwDriver is the driver for ipfw.
type ipfwDriver struct {
	host   ipfwHost
	folder *locked.Folder
}

var _ Driver = (*ipfwDriver)(nil)

// ipfwRecord is what we have in ipfw. A slot is recorded before the kernel has it.
type ipfwRecord struct {
	record
	Numbers   map[string]uint16        `json:"numbers"`   // instances, by IDs of networks and uplinks
	Instances map[uint16]ipfw.Instance `json:"instances"` // how those are configured
	Slots     map[string]slot          `json:"slots"`     // of containers, by IDs
	Next      uint16                   `json:"next"`      // number to try for the next slot
}

const ipfwRecordName = "ipfw"

func (d *ipfwDriver) Name() string { return IPFW }

// sourceWarning tells how the host reaches ports of its own containers: the answers
// come with the host's own address as their source.
const sourceWarning = "the host itself can't reach ports that its containers publish: set net.inet.ip.source_address_validation=0 in /etc/sysctl.conf and run \"sysctl net.inet.ip.source_address_validation=0\""

// ipv6Warning tells what ipfw lacks.
const ipv6Warning = "ipfw has no NAT for IPv6: containers reach others by IPv6 only if those have a route to the network's subnet"

// do calls change with the record and a connection, under the lock.
func (d *ipfwDriver) do(ctx context.Context, change func(c ipfwConn, r *ipfwRecord) error) error {
	return d.folder.Do(ctx, func() (err error) {
		c, err := d.host.open()
		if errors.Is(err, ipfw.ErrNotLoaded) {
			return fmt.Errorf("ipfw is not loaded: set firewall_enable=\"YES\" and firewall_nat_enable=\"YES\" in /etc/rc.conf and run \"service ipfw start\": %w", errdefs.ErrFailedPrecondition)
		}
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, c.Close()) }()
		r := &ipfwRecord{Numbers: map[string]uint16{}, Instances: map[uint16]ipfw.Instance{}, Slots: map[string]slot{}}
		if err := d.folder.Read(ipfwRecordName, r); err != nil {
			return err
		}
		if err := change(c, r); err != nil {
			if errors.Is(err, ipfw.ErrNotLoaded) {
				return fmt.Errorf("ipfw's NAT is not loaded: set firewall_nat_enable=\"YES\" in /etc/rc.conf and run \"kldload ipfw_nat\": %w", errdefs.ErrFailedPrecondition)
			}
			return err
		}
		return d.folder.Write(ipfwRecordName, r)
	})
}

// warnings tells what of the host's settings is in the way of some uses.
func (h ipfwHost) warnings() (warnings []string, err error) {
	checks, err := h.checksSource()
	if err == nil && checks {
		warnings = append(warnings, sourceWarning)
	}
	return warnings, err
}

func (d *ipfwDriver) Check(ctx context.Context) (warnings []string, err error) {
	err = d.do(ctx, func(c ipfwConn, _ *ipfwRecord) error {
		if _, err := c.NATs(); err != nil {
			return err
		}
		warnings, err = d.host.warnings()
		return err
	})
	return warnings, err
}

func (d *ipfwDriver) AddNetwork(ctx context.Context, n Network) (warnings []string, err error) {
	err = d.do(ctx, func(c ipfwConn, r *ipfwRecord) error {
		moved, err := r.refresh(d.host.uplinks)
		if err != nil {
			return err
		}
		if !r.set(n) && !moved {
			right, err := r.loaded(c)
			if err != nil || right {
				return err
			}
		}
		if warnings, err = d.host.warnings(); err != nil {
			return err
		}
		if n.IPv6.IsValid() {
			warnings = append(warnings, ipv6Warning)
		}
		return d.apply(c, r)
	})
	if err != nil {
		return nil, fmt.Errorf("rules of network %q: %w", n.Name, err)
	}
	return warnings, nil
}

// loaded tells whether ipfw has as many rules of ours as it should have.
func (r *ipfwRecord) loaded(c ipfwConn) (bool, error) {
	rules, err := c.Rules(ipfwFirst, ipfwLast)
	if err != nil {
		return false, err
	}
	ours := slices.DeleteFunc(rules, func(r ipfw.Rule) bool { return r.Set != ipfwSet })
	return len(ours) == len(ipfwRules(r.Networks, r.Uplinks, r.Numbers)), nil
}

// apply makes ipfw have what the record says: tables and instances first, then the
// rules, all at once, then it removes the instances that no rule uses any more.
func (d *ipfwDriver) apply(c ipfwConn, r *ipfwRecord) error {
	if len(r.Networks) == 0 {
		return r.clear(c)
	}
	fresh := false
	for _, name := range slices.Sorted(maps.Keys(ipfwTables)) {
		created, err := c.CreateTable(name, ipfwTables[name])
		if err != nil {
			return err
		}
		fresh = fresh || created
	}
	wanted, err := r.number()
	if err != nil {
		return err
	}
	there, err := c.NATs()
	if err != nil {
		return err
	}
	for _, i := range wanted {
		if slices.Contains(there, i.Number) && equalInstance(r.Instances[i.Number], i) {
			continue
		}
		if err := c.SetNAT(i); err != nil {
			return err
		}
		r.Instances[i.Number] = i
	}
	if fresh { // somebody destroyed the tables
		for _, id := range slices.Sorted(maps.Keys(r.Slots)) {
			if err := r.Slots[id].add(c); err != nil {
				return err
			}
		}
	}
	if err := swapRules(c, ipfwRules(r.Networks, r.Uplinks, r.Numbers)); err != nil {
		return err
	}
	return r.dropInstances(c, wanted)
}

// swapRules replaces our rules at once, so that no packet meets half of them.
func swapRules(c ipfwConn, rules []ipfw.Rule) error {
	if err := c.DisableSet(ipfwStaging); err != nil {
		return err
	}
	err := c.DeleteRules(ipfwStaging, ipfwFirst, ipfwLast)
	if err == nil {
		err = c.AddRules(rules)
	}
	if err == nil {
		err = c.SwapSets(ipfwSet, ipfwStaging)
	}
	return errors.Join(err, c.DeleteRules(ipfwStaging, ipfwFirst, ipfwLast), c.EnableSet(ipfwStaging))
}

// number gives each network and each uplink an instance, and returns them.
func (r *ipfwRecord) number() ([]ipfw.Instance, error) {
	var list []ipfw.Instance
	add := func(id string, i ipfw.Instance) error {
		if r.Numbers[id] == 0 {
			used := slices.Collect(maps.Values(r.Numbers))
			n := uint16(ipfwFirstNAT)
			for slices.Contains(used, n) {
				n++
			}
			if n >= ipfwFirstSlot {
				return fmt.Errorf("no NAT instance from %d to %d is free: %w", ipfwFirstNAT, ipfwFirstSlot-1, errdefs.ErrResourceExhausted)
			}
			r.Numbers[id] = n
		}
		i.Number, i.PortLo, i.PortHi = r.Numbers[id], masqueradeLo, masqueradeHi
		list = append(list, i)
		return nil
	}
	wanted := map[string]bool{}
	for _, n := range r.Networks {
		if !n.IPv4.IsValid() {
			continue
		}
		wanted[ID(n.Name, "")] = true
		if err := add(ID(n.Name, ""), ipfw.Instance{Addr: n.Gateway4}); err != nil {
			return nil, err
		}
	}
	for _, u := range r.Uplinks {
		if len(u.IPv4) == 0 {
			continue
		}
		wanted[uplinkID(u.Name)] = true
		if err := add(uplinkID(u.Name), ipfw.Instance{Addr: u.IPv4[0], Interface: u.Name}); err != nil {
			return nil, err
		}
	}
	maps.DeleteFunc(r.Numbers, func(id string, _ uint16) bool { return !wanted[id] })
	return list, nil
}

func equalInstance(a, b ipfw.Instance) bool {
	return a.Number == b.Number && a.Addr == b.Addr && a.Interface == b.Interface && a.PortLo == b.PortLo && a.PortHi == b.PortHi
}

// dropInstances removes the instances of networks and uplinks that are gone.
func (r *ipfwRecord) dropInstances(c ipfwConn, wanted []ipfw.Instance) error {
	for _, number := range slices.Sorted(maps.Keys(r.Instances)) {
		if slices.ContainsFunc(wanted, func(i ipfw.Instance) bool { return i.Number == number }) {
			continue
		}
		if err := c.DeleteNAT(number); err != nil {
			return err
		}
		delete(r.Instances, number)
	}
	return nil
}

// clear removes all that is not a container's.
func (r *ipfwRecord) clear(c ipfwConn) error {
	for _, set := range []uint8{ipfwSet, ipfwStaging} {
		if err := c.DeleteRules(set, ipfwFirst, ipfwLast); err != nil {
			return err
		}
	}
	if err := r.dropInstances(c, nil); err != nil {
		return err
	}
	r.Numbers = map[string]uint16{}
	for _, name := range slices.Sorted(maps.Keys(ipfwTables)) {
		if err := c.DestroyTable(name); err != nil {
			return err
		}
	}
	return nil
}

func (d *ipfwDriver) RemoveNetwork(ctx context.Context, n Network) error {
	err := d.do(ctx, func(c ipfwConn, r *ipfwRecord) error {
		r.drop(n.Name)
		return d.apply(c, r)
	})
	if err := ignoreOff(err); err != nil {
		return fmt.Errorf("remove the rules of network %q: %w", n.Name, err)
	}
	return nil
}

// ignoreOff makes nothing of the error that ipfw isn't loaded: then it has no rules.
func ignoreOff(err error) error {
	if errors.Is(err, errdefs.ErrFailedPrecondition) {
		return nil
	}
	return err
}
