package cli

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/urfave/cli"

	"jailshim/jailctl/kernel"
	"jailshim/netsetup"
)

// finding is what the doctor says of one thing.
type finding struct {
	what    string
	err     error  // containers, or those that need it, can't be made
	warning string // they can, but…
}

func (f finding) String() string {
	switch {
	case f.err != nil:
		return fmt.Sprintf("error    %s: %v", f.what, f.err)
	case f.warning != "":
		return fmt.Sprintf("warning  %s: %s", f.what, f.warning)
	}
	return "ok       " + f.what
}

func (p *Program) doctorCommand(ctx context.Context) cli.Command {
	return cli.Command{
		Name:  "doctor",
		Usage: "tell what of the machine keeps containers from running, and how to change it",
		Description: "Changes nothing. Networks are looked at as their next container would: the error of a firewall\n" +
			"that lacks our hooks spells out the lines to add.",
		Action: func(c *cli.Context) error {
			if err := arguments(c, 0, 0); err != nil {
				return err
			}
			bad := false
			for _, f := range append(machineFindings(), p.networkFindings(ctx)...) {
				fmt.Fprintln(p.Stdout, f)
				bad = bad || f.err != nil
			}
			if bad {
				return errors.New("the machine is not ready for all containers; see above")
			}
			return nil
		},
	}
}

// oldest is the first release that has all that jails of containers are made with
// (__FreeBSD_version of 14.0).
const oldest = 1400097

// machineFindings looks at the kernel.
func machineFindings() []finding {
	release, err := kernel.Osreldate()
	if err == nil && release < oldest {
		err = fmt.Errorf("kern.osreldate is %d: FreeBSD 14.0 or later is needed", release)
	}
	findings := []finding{{what: "system", err: err}}
	if err != nil {
		return findings
	}
	root := finding{what: "user"}
	if os.Geteuid() != 0 {
		root.err = errors.New("jails are made by root only")
	}
	vnet := finding{what: "network stacks of jails"}
	if _, err := kernel.LookupParam("vnet"); err != nil {
		vnet.err = fmt.Errorf("the kernel has none (options VIMAGE): %w", err)
	}
	racct := finding{what: "resource accounting"}
	if !kernel.RacctEnabled() {
		racct.warning = "it is off: limits are refused, and statistics less exact; write kern.racct.enable=1 into /boot/loader.conf"
	}
	return append(findings, root, vnet, racct)
}

// networkFindings looks at the networks of the configuration.
func (p *Program) networkFindings(ctx context.Context) []finding {
	m, err := netsetup.Open(p.networks)
	if err != nil {
		return []finding{{what: "networks", err: err}}
	}
	all, err := m.Networks(ctx)
	if err != nil {
		return []finding{{what: "networks", err: err}}
	}
	var findings []finding
	for _, n := range all {
		if !n.Configured {
			continue
		}
		what := "network " + n.Name
		warnings, err := m.Check(ctx, n.Name)
		for _, w := range warnings {
			findings = append(findings, finding{what: what, warning: w})
		}
		if err != nil || len(warnings) == 0 {
			findings = append(findings, finding{what: what, err: err})
		}
	}
	return findings
}
