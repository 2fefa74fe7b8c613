package netsetup

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"jailshim/netsetup/link"
)

// Detach removes an attachment and gives back what was reserved for it. The jail may be
// alive, dying or gone; the sooner, the less is left to happen by itself. It may be
// repeated, and works for what a killed process left of Reserve, Attach and Detach.
//
// The epair goes first, by its end on the host, in whatever jail the other one is: the
// end of a jail that is removed comes back to the host under the name that it has
// there, which others have too. The addresses go last, as nobody may get them as long
// as rules for them are left: if a step fails, they stay with the container.
func (m *Manager) Detach(ctx context.Context, a *Attachment) error {
	if err := m.detach(ctx, a); err != nil {
		return fmt.Errorf("detach %q from network %q: %w", a.Owner, a.Network, err)
	}
	return nil
}

func (m *Manager) detach(ctx context.Context, a *Attachment) error {
	if err := m.destroy(ctx, a.HostEnd); err != nil {
		return err
	}
	if err := m.reached(pointDestroyed); err != nil {
		return err
	}
	driver, err := m.driver(ctx, a.Firewall)
	if err != nil {
		return err
	}
	if err := driver.Unpublish(ctx, a.firewalled()); err != nil {
		return err
	}
	if err := m.reached(pointUnpublished); err != nil {
		return err
	}
	if len(a.Ports) > 0 {
		if err := m.ports.Release(ctx, claim(a.Owner, a.Network)); err != nil {
			return err
		}
	}
	if err := m.reached(pointPortsReleased); err != nil {
		return err
	}
	if err := m.names.Remove(ctx, a.Network, a.Owner); err != nil {
		return err
	}
	if err := m.reached(pointNamesRemoved); err != nil {
		return err
	}
	if err := m.leases.Release(ctx, a.Network, a.Owner); err != nil {
		return err
	}
	return m.reached(pointReleased)
}

// destroy destroys an epair. If it is not there, who made it may have been killed
// before it had its name.
func (m *Manager) destroy(ctx context.Context, hostEnd string) error {
	c := link.Destroy(hostEnd)
	c.Allow = nil
	err := m.system.Run([]link.Call{c})
	if errors.Is(err, syscall.ENXIO) {
		_, err = m.sweepFresh(ctx)
	}
	return err
}
