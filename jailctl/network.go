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

// joinNetwork settles which jail's network a planned container joins, where only the
// running system tells.
func joinNetwork(p *plan.Plan) error {
	n := p.Network
	if !n.Joins() || !strings.HasPrefix(n.Name, "/") {
		return nil // the plan has made it a child of the jail that it names
	}
	jail, err := jailOfNamespace(n.Name)
	if err != nil || jail == "" {
		return err
	}
	limits, _ := parentJail(jail) // of one that is gone none, which making the child will tell
	return p.JoinJail(jail, limits)
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
