package firewall

import (
	"context"
	"errors"
	"fmt"

	"github.com/containerd/errdefs"

	"jailshim/netsetup/firewall/ipfw"
	"jailshim/netsetup/firewall/pf"
	"jailshim/netsetup/locked"
)

// Select returns a driver by its name. [Auto] is pf if it is enabled, else ipfw if it
// is loaded with its NAT; if neither runs, the error is FailedPrecondition and says how
// to start one. A driver that is asked for by name is not checked here but by
// [Driver.AddNetwork], so that rules can be removed while the firewall is off.
//
// dir is a folder of the drivers' own, which is made. It must be empty after a reboot,
// as the kernel's rules are, and the same in all processes.
func Select(_ context.Context, name, dir string) (Driver, error) {
	folder, err := locked.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("firewall: %w", err)
	}
	if name == Auto {
		if name, err = running(); err != nil {
			return nil, err
		}
	}
	switch name {
	case PF:
		return &pfDriver{kernel: pfCalls{}, folder: folder}, nil
	case IPFW:
		return &ipfwDriver{host: ipfwCalls, folder: folder}, nil
	case None:
		return noneDriver{}, nil
	}
	return nil, fmt.Errorf("firewall %q is none of auto, pf, ipfw, none: %w", name, errdefs.ErrInvalidArgument)
}

// running returns the name of the firewall that the host runs.
func running() (string, error) {
	_, enabled, err := pf.Running()
	if err != nil {
		return "", fmt.Errorf("look for pf: %w", err)
	}
	if enabled {
		return PF, nil
	}
	c, err := ipfw.Open()
	switch {
	case err == nil:
		return IPFW, c.Close()
	case errors.Is(err, ipfw.ErrNotLoaded), errors.Is(err, ipfw.ErrOld):
		return "", fmt.Errorf("neither pf nor ipfw runs, and a network needs one for NAT: set pf_enable=\"YES\" in /etc/rc.conf and run \"service pf start\" (see pf.conf(5)), or write nat = \"none\" into the network's configuration: %w", errdefs.ErrFailedPrecondition)
	}
	return "", fmt.Errorf("look for ipfw: %w", err)
}

// ipfwCalls are the real calls.
var ipfwCalls = ipfwHost{
	open: func() (ipfwConn, error) {
		c, err := ipfw.Open()
		if err != nil {
			return nil, err
		}
		return c, nil
	},
	uplinks:      uplinks,
	checksSource: func() (bool, error) { return sysctlBool("net.inet.ip.source_address_validation") },
}
