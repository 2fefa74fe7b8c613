package firewall

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/containerd/errdefs"
)

func (d *ipfwDriver) Publish(ctx context.Context, a Attachment) error {
	if len(a.Ports) == 0 {
		return nil
	}
	id := ID(a.Network.Name, a.Owner)
	err := d.do(ctx, func(c ipfwConn, r *ipfwRecord) error {
		s, err := newSlot(a, r.Uplinks)
		if err != nil {
			return err
		}
		if err := r.remove(c, id); err != nil {
			return err
		}
		if s.Number, err = r.free(); err != nil {
			return err
		}
		r.Slots[id] = s
		if err := d.folder.Write(ipfwRecordName, r); err != nil {
			return err
		}
		if err := s.add(c); err != nil {
			if undo := r.remove(c, id); undo == nil {
				return errors.Join(err, d.folder.Write(ipfwRecordName, r))
			}
			return err // the record still has it, and gc finds it there
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("publish ports of %q: %w", a.Owner, err)
	}
	return nil
}

// free returns the number of a pair of instances that no slot has.
func (r *ipfwRecord) free() (uint16, error) {
	used := map[uint16]bool{}
	for _, s := range r.Slots {
		used[s.Number] = true
	}
	const pairs = (ipfwLastNAT + 1 - ipfwFirstSlot) / 2
	for range pairs {
		if r.Next < ipfwFirstSlot || r.Next >= ipfwFirstSlot+2*pairs {
			r.Next = ipfwFirstSlot
		}
		n := r.Next
		r.Next += 2
		if !used[n] {
			return n, nil
		}
	}
	return 0, fmt.Errorf("no NAT instance from %d to %d is free: %w", ipfwFirstSlot, ipfwLastNAT, errdefs.ErrResourceExhausted)
}

// add loads the instances, then what leads to them.
func (s slot) add(c ipfwConn) error {
	for _, i := range s.instances() {
		if err := c.SetNAT(i); err != nil {
			return err
		}
	}
	tables := s.entries()
	for _, name := range slices.Sorted(maps.Keys(tables)) {
		if err := c.AddEntries(name, ipfwTables[name], tables[name]); err != nil {
			return err
		}
	}
	return nil
}

// remove undoes that, in the other order, and forgets the slot. The states go with the
// instances.
func (r *ipfwRecord) remove(c ipfwConn, id string) error {
	s, ok := r.Slots[id]
	if !ok {
		return nil
	}
	tables := s.entries()
	for _, name := range slices.Sorted(maps.Keys(tables)) {
		if err := c.DeleteEntries(name, ipfwTables[name], tables[name]); err != nil {
			return err
		}
	}
	for _, i := range s.instances() {
		if err := c.DeleteNAT(i.Number); err != nil {
			return err
		}
	}
	delete(r.Slots, id)
	return nil
}

func (d *ipfwDriver) Unpublish(ctx context.Context, a Attachment) error {
	if len(a.Ports) == 0 {
		return nil
	}
	return d.Remove(ctx, Entry{ID: ID(a.Network.Name, a.Owner)})
}

// strayPrefix begins the IDs of instances in our range that the record doesn't know.
const strayPrefix = "nat-"

func (d *ipfwDriver) List(ctx context.Context) ([]Entry, error) {
	var list []Entry
	err := d.do(ctx, func(c ipfwConn, r *ipfwRecord) error {
		known := map[uint16]bool{}
		for _, n := range r.Networks {
			list = append(list, Entry{ID: ID(n.Name, "")})
		}
		for number := range r.Instances {
			known[number] = true
		}
		for _, id := range slices.Sorted(maps.Keys(r.Slots)) {
			list = append(list, Entry{ID: id})
			known[r.Slots[id].Number], known[r.Slots[id].Number+1] = true, true
		}
		numbers, err := c.NATs()
		if err != nil {
			return err
		}
		for _, number := range numbers {
			if number >= ipfwFirstNAT && number <= ipfwLastNAT && !known[number] {
				list = append(list, Entry{ID: strayPrefix + strconv.Itoa(int(number))})
			}
		}
		return nil
	})
	if err := ignoreOff(err); err != nil {
		return nil, fmt.Errorf("list what there is in ipfw: %w", err)
	}
	return list, nil
}

func (d *ipfwDriver) Remove(ctx context.Context, e Entry) error {
	err := d.do(ctx, func(c ipfwConn, r *ipfwRecord) error {
		if text, ok := strings.CutPrefix(e.ID, strayPrefix); ok {
			number, err := strconv.ParseUint(text, 10, 16)
			if err != nil {
				return fmt.Errorf("%q is no entry: %w", e.ID, errdefs.ErrInvalidArgument)
			}
			return c.DeleteNAT(uint16(number))
		}
		for _, n := range r.Networks {
			if ID(n.Name, "") == e.ID {
				r.drop(n.Name)
				return d.apply(c, r)
			}
		}
		return r.remove(c, e.ID)
	})
	if err := ignoreOff(err); err != nil {
		return fmt.Errorf("remove %q from ipfw: %w", e.ID, err)
	}
	return nil
}
