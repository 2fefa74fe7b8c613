package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli"

	"jailshim/netsetup"
	"jailshim/netsetup/config"
)

// jsonFlag asks for JSON instead of a table.
var jsonFlag = cli.BoolFlag{Name: "json", Usage: "print JSON"}

func (p *Program) netCommand(ctx context.Context) cli.Command {
	return cli.Command{
		Name:  "net",
		Usage: "look at the networks of containers, and remove them",
		Description: "A network is described in the file --config, made when its first container asks for it, and\n" +
			"stays until it is removed here. \"default\" is there without a description.",
		Subcommands: []cli.Command{
			{
				Name: "ls", Aliases: []string{"list"}, Usage: "list the networks",
				Flags:  []cli.Flag{jsonFlag},
				Action: func(c *cli.Context) error { return p.listNetworks(ctx, c) },
			},
			{
				Name: "inspect", Usage: "show a network and who is on it", ArgsUsage: "<network>",
				Flags:  []cli.Flag{jsonFlag},
				Action: func(c *cli.Context) error { return p.inspectNetwork(ctx, c) },
			},
			{
				Name: "rm", Usage: "remove what was made of networks that nobody uses", ArgsUsage: "<network> [<network>…]",
				Action: func(c *cli.Context) error { return p.removeNetworks(ctx, c) },
			},
			{
				Name: "prune", Usage: "remove all networks that nobody uses",
				Action: func(c *cli.Context) error { return p.pruneNetworks(ctx, c) },
			},
		},
		Action: p.noCommand,
	}
}

func (p *Program) listNetworks(ctx context.Context, c *cli.Context) error {
	if err := arguments(c, 0, 0); err != nil {
		return err
	}
	m, err := netsetup.Open(p.networks)
	if err != nil {
		return err
	}
	all, err := m.Networks(ctx)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return p.print(all)
	}
	w := tabwriter.NewWriter(p.Stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tBRIDGE\tIPV4\tIPV6\tFIREWALL\tSTATE\tCONTAINERS")
	for i := range all {
		n := &all[i]
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%d\n", n.Name, n.Bridge, subnet(n.IPv4), subnet(n.IPv6), firewallOf(n), networkStatus(n), len(n.Members))
	}
	return w.Flush()
}

func (p *Program) inspectNetwork(ctx context.Context, c *cli.Context) error {
	if err := arguments(c, 1, 1); err != nil {
		return err
	}
	m, err := netsetup.Open(p.networks)
	if err != nil {
		return err
	}
	n, err := m.Inspect(ctx, c.Args().First())
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return p.print(n)
	}
	return describeNetwork(p.Stdout, n)
}

// describeNetwork writes a network and its members for people.
func describeNetwork(out io.Writer, n *netsetup.Network) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "%s:\t%s\n", name, value)
		}
	}
	line("network", n.Name)
	line("state", networkStatus(n))
	line("bridge", n.Bridge)
	for _, s := range []config.Subnet{n.IPv4, n.IPv6} {
		if !s.IsZero() {
			line("subnet", fmt.Sprintf("%s, gateway %s, given are %s to %s", s.Prefix, s.Gateway, s.First, s.Last))
		}
	}
	line("mtu", strconv.Itoa(n.MTU))
	line("firewall", firewallOf(n))
	if n.Isolate {
		line("isolated", "its containers can't reach each other")
	}
	for _, r := range n.Routes {
		line("route", fmt.Sprintf("%s by %s", r.Destination, r.Gateway))
	}
	for _, warning := range n.Warnings {
		line("warning", warning)
	}
	if err := w.Flush(); err != nil || len(n.Members) == 0 {
		return err
	}
	fmt.Fprintln(w, "\nCONTAINER\tNAMES\tADDRESSES\tINTERFACE")
	for _, member := range n.Members {
		end := member.HostEnd
		if !member.Attached {
			end += " (not there)"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", member.Owner, strings.Join(member.Names, " "), addresses(member.Addrs), end)
	}
	return w.Flush()
}

func (p *Program) removeNetworks(ctx context.Context, c *cli.Context) error {
	if err := arguments(c, 1, -1); err != nil {
		return err
	}
	m, err := netsetup.Open(p.networks)
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range c.Args() {
		err := m.Remove(ctx, name)
		if err == nil {
			fmt.Fprintln(p.Stdout, name)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (p *Program) pruneNetworks(ctx context.Context, c *cli.Context) error {
	if err := arguments(c, 0, 0); err != nil {
		return err
	}
	m, err := netsetup.Open(p.networks)
	if err != nil {
		return err
	}
	pruned, err := m.Prune(ctx)
	p.tell(pruned)
	return err
}

// networkStatus says in a word whether a network is there.
func networkStatus(n *netsetup.Network) string {
	switch {
	case n.Exists && !n.Configured:
		return "up, no longer configured"
	case n.Exists && !n.Made:
		return "up, on a bridge that was there"
	case n.Exists:
		return "up"
	case !n.Configured:
		return "gone, no longer configured"
	}
	return "not made yet"
}

// firewallOf is the firewall that translates for a network, or what is to be used when
// it is made.
func firewallOf(n *netsetup.Network) string {
	if n.Firewall != "" {
		return n.Firewall
	}
	return string(n.NAT)
}

func subnet(s config.Subnet) string {
	if s.IsZero() {
		return "-"
	}
	return s.Prefix.String()
}

func addresses(all []netip.Addr) string {
	var texts []string
	for _, a := range all {
		texts = append(texts, a.String())
	}
	return strings.Join(texts, " ")
}
