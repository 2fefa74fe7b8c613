package netsetup

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"syscall"

	"jailshim/netsetup/link"
)

// firstUnit is the lowest number with which we make interfaces. Those for which nobody
// asks get the lowest free one, far below.
const firstUnit = link.MaxUnit/2 + 1

// createFresh makes an interface and gives it its name, so that it is found again, and
// returns its number. suffix is what the kernel adds to its own name. The number is
// looked for from a place that a hash chooses, as processes would queue up otherwise.
func (m *Manager) createFresh(ctx context.Context, kind, suffix, name string, hash []byte, point string) (unit int, err error) {
	err = m.fresh.Do(ctx, func() error {
		unit, err = m.create(kind, int(binary.BigEndian.Uint16(hash)))
		if err != nil {
			return err
		}
		fresh := fmt.Sprintf("%s%d%s", kind, unit, suffix)
		if err = m.reached(point); err == nil {
			err = m.system.Run([]link.Call{link.Rename(fresh, name)})
		}
		if err != nil {
			return errors.Join(err, m.system.Run([]link.Call{link.Destroy(fresh)}))
		}
		return nil
	})
	return unit, err
}

// create makes an interface with a number that is free.
func (m *Manager) create(kind string, from int) (int, error) {
	const units = link.MaxUnit - firstUnit + 1
	for n := range units {
		unit := firstUnit + (from+n)%units
		err := m.system.Run([]link.Call{link.Create(kind, unit)})
		if !errors.Is(err, syscall.EEXIST) {
			return unit, err
		}
	}
	return 0, fmt.Errorf("create %s: all %d numbers are in use", kind, units)
}

// sweepFresh destroys interfaces that were made and not named: a process was killed.
// It returns their names.
func (m *Manager) sweepFresh(ctx context.Context) (swept []string, err error) {
	err = m.fresh.Do(ctx, func() error {
		list, err := m.system.List()
		if err != nil {
			return err
		}
		var calls []link.Call
		for _, i := range list {
			if isFresh(&i) {
				swept = append(swept, i.Name)
				calls = append(calls, link.Destroy(i.Name))
			}
		}
		return m.system.Run(calls)
	})
	return swept, err
}

// isFresh tells whether an interface is as createFresh makes it. An administrator's own
// with such a number differs as soon as it is used.
func isFresh(i *link.Interface) bool {
	unit, ok := strings.CutPrefix(i.Name, "bridge")
	if !ok {
		if unit, ok = strings.CutPrefix(i.Name, "epair"); ok {
			// One end is enough.
			unit, ok = strings.CutSuffix(unit, "a")
		}
	}
	n, err := strconv.Atoi(unit)
	return ok && err == nil && n >= firstUnit && i.Flags&link.FlagUp == 0 && len(i.Addrs) == 0
}
