package port

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"syscall"

	"github.com/containerd/errdefs"
)

// CheckHost returns an error of class AlreadyExists if a process of the host listens
// on one of the ports: its clients would reach the container instead. An address that
// the host does not have is InvalidArgument.
//
// It binds each tcp and udp port for a moment, first at the mapping's address, then at
// all: a listener at one address does not keep another from all. sctp isn't checked.
func CheckHost(ctx context.Context, list []Mapping) error {
	for _, m := range list {
		for i := range m.Count {
			p := m.HostPort + i
			if err := m.bind(ctx, p); err != nil {
				return fmt.Errorf("publish %s: %w", m, err)
			}
		}
	}
	return nil
}

func (m Mapping) bind(ctx context.Context, p uint16) error {
	for _, a := range []netip.Addr{m.HostIP, netip.IPv4Unspecified(), netip.IPv6Unspecified()} {
		if !a.IsValid() || m.HostIP.IsValid() && a.Is4() != m.HostIP.Is4() {
			continue
		}
		err := bindOne(ctx, m.Protocol, a, p)
		switch {
		case errors.Is(err, syscall.EADDRINUSE):
			return fmt.Errorf("a process of the host has port %d/%s already; see sockstat -l: %w", p, m.Protocol, errdefs.ErrAlreadyExists)
		case errors.Is(err, syscall.EADDRNOTAVAIL) && a == m.HostIP:
			return fmt.Errorf("the host has no address %s: %w", a, errdefs.ErrInvalidArgument)
		case errors.Is(err, syscall.EADDRNOTAVAIL), errors.Is(err, syscall.EAFNOSUPPORT), errors.Is(err, syscall.EPROTONOSUPPORT):
			// A host without this family has no such port.
		case err != nil:
			return fmt.Errorf("try port %d/%s of the host: %w", p, m.Protocol, err)
		}
	}
	return nil
}

func bindOne(ctx context.Context, protocol Protocol, a netip.Addr, p uint16) error {
	family, address := "6", net.JoinHostPort(a.String(), strconv.Itoa(int(p)))
	if a.Is4() {
		family = "4"
	}
	var config net.ListenConfig
	switch protocol {
	case TCP:
		l, err := config.Listen(ctx, "tcp"+family, address)
		if err != nil {
			return err
		}
		return l.Close()
	case UDP:
		c, err := config.ListenPacket(ctx, "udp"+family, address)
		if err != nil {
			return err
		}
		return c.Close()
	}
	return nil
}
