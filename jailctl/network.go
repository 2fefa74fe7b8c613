package jailctl

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/containerd/errdefs"

	"jailshim/jailctl/kernel"
	"jailshim/jailctl/plan"
	"jailshim/netsetup/link"
)

// network settles what of the planned network depends on the running system, and
// refuses what can't be made.
func network(p *plan.Plan) error {
	n := p.Network
	switch {
	case len(n.Interfaces) > 0:
		return fmt.Errorf("freebsd.jail.vnetInterfaces: interfaces can't be moved into a container yet: %w", errdefs.ErrNotImplemented)
	case n.Interface != "":
		return fmt.Errorf("freebsd.jail.interface: addresses can't be put on an interface yet; configure them, and leave it out: %w", errdefs.ErrNotImplemented)
	case n.Mode != plan.NetworkNamed:
		return nil
	case !n.Joins():
		return fmt.Errorf("network %q: networks can't be made yet; host, none and jail:NAME can be had: %w", n.Name, errdefs.ErrNotImplemented)
	case !strings.HasPrefix(n.Name, "/"):
		return nil // the plan has made it a child of that jail
	}
	jail, err := jailOfNamespace(n.Name)
	if err != nil || jail == "" {
		return err
	}
	return p.JoinJail(jail)
}

// jailOfNamespace returns the jail of the process in a path of Linux's form,
// /proc/PID/ns/net: that is how clients name the network of a running container.
// Empty is the host.
func jailOfNamespace(path string) (string, error) {
	parts := strings.Split(path, "/")
	if len(parts) != 5 || parts[1] != "proc" || parts[3] != "ns" {
		return "", fmt.Errorf("network namespace %s: /proc/PID/ns/net is allowed: %w", path, errdefs.ErrInvalidArgument)
	}
	pid, err := strconv.Atoi(parts[2])
	if err != nil {
		return "", fmt.Errorf("network namespace %s: %w: %w", path, errdefs.ErrInvalidArgument, err)
	}
	p, err := kernel.ProcessByID(pid)
	if err != nil {
		return "", fmt.Errorf("network namespace %s: %w: %w", path, errdefs.ErrNotFound, err)
	}
	if p.Jid == 0 {
		return "", nil
	}
	j, err := kernel.OpenJailID(p.Jid)
	if err != nil {
		return "", fmt.Errorf("network namespace %s: %w", path, err)
	}
	return j.Name, j.Close()
}

// requests are calls for the network of a jail, as its first process makes them.
func requests(calls []link.Call) []kernel.Request {
	all := make([]kernel.Request, 0, len(calls))
	for _, c := range calls {
		all = append(all, kernel.Request{
			Domain: c.Family, Ioctl: uint32(c.Request),
			Data: c.Data, Indirect: c.Indirect, Offset: c.Offset, Allow: c.Allow, What: c.What,
		})
	}
	return all
}
