package netsetup

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"github.com/containerd/errdefs"

	"jailshim/netsetup/link"
)

// Moved is an interface of the host that is lent to a jail, with what it is known by
// whatever it is called there. It is stored before the interface moves.
type Moved struct {
	Name  string `json:"name"`
	Index int    `json:"index"`
	MAC   string `json:"mac,omitempty"`
}

// is tells whether an interface is the one that was lent.
func (v *Moved) is(i *link.Interface) bool {
	// The number of an interface that was destroyed is given to another one.
	return i.Index == v.Index && (v.MAC == "" || v.MAC == i.MAC.String())
}

// Lend returns what MoveIn needs to know of interfaces. NotFound: the host has no such
// interface. FailedPrecondition: it is one of ours.
func (m *Manager) Lend(names []string) ([]Moved, error) {
	list, err := m.system.List()
	if err != nil {
		return nil, err
	}
	var lent []Moved
	for _, name := range names {
		i := find(list, name)
		if i == nil {
			return nil, fmt.Errorf("the host has no interface %q to lend to a jail: %w", name, errdefs.ErrNotFound)
		}
		if i.Type == link.TypeBridge {
			return nil, fmt.Errorf("interface %q is a bridge, which stays on the host: %w", name, errdefs.ErrFailedPrecondition)
		}
		v := Moved{Name: name, Index: i.Index}
		if len(i.MAC) > 0 {
			v.MAC = i.MAC.String()
		}
		lent = append(lent, v)
	}
	return lent, nil
}

// MoveIn moves interfaces into a jail with a network stack of its own. They lose their
// addresses. On an error, those that moved are moved back. It may be repeated.
func (m *Manager) MoveIn(ctx context.Context, jid int, lent []Moved) error {
	var u undo
	for _, v := range lent {
		back, err := m.moveBack(jid, v)
		if err == nil && !back {
			err = fmt.Errorf("interface %q is not on the host any more: %w", v.Name, errdefs.ErrNotFound)
		}
		if err == nil {
			err = m.system.Run([]link.Call{link.MoveTo(v.Name, jid)})
		}
		if err != nil {
			return u.run(ctx, err)
		}
		u.add(func(context.Context) error {
			_, err := m.moveBack(jid, v)
			return err
		})
	}
	return nil
}

// MoveBack takes interfaces back from a jail and gives them their names. It is called
// before the jail is removed, with its id, as an interface that comes back by itself
// keeps the name that it has there; and once more when the jail is gone, with 0 as id,
// for those that had other names in the jail, which only the kernel finds. It returns
// those that are not on the host yet. It may be repeated.
func (m *Manager) MoveBack(_ context.Context, jid int, lent []Moved) (away []Moved, err error) {
	var errs []error
	for _, v := range lent {
		back, err := m.moveBack(jid, v)
		if err != nil {
			errs = append(errs, err)
		}
		if !back {
			away = append(away, v)
		}
	}
	return away, errors.Join(errs...)
}

func (m *Manager) moveBack(jid int, v Moved) (back bool, err error) {
	list, err := m.system.List()
	if err != nil {
		return false, err
	}
	for i := range list {
		switch {
		case !v.is(&list[i]):
		case list[i].Name == v.Name:
			return true, nil
		default:
			return true, m.system.Run([]link.Call{link.Rename(list[i].Name, v.Name)})
		}
	}
	if jid == 0 {
		return false, nil
	}
	err = m.system.Run([]link.Call{link.MoveBack(v.Name, jid)})
	if errors.Is(err, syscall.ENXIO) {
		return false, nil
	}
	return err == nil, err
}
