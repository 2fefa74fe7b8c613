package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/urfave/cli"

	"jailshim/jailctl"
	"jailshim/jailctl/kernel"
)

const configFile = "config.json"

func (p *Program) specCommand(context.Context) cli.Command {
	return cli.Command{
		Name:  "spec",
		Usage: "print a specification to start from, or explain one",
		Flags: []cli.Flag{
			cli.StringFlag{Name: "bundle, b", Usage: "write it to " + configFile + " in this folder, which must have none"},
			cli.StringFlag{Name: "explain", Usage: "print what would be done for the bundle in `FOLDER`, on any system"},
			cli.StringFlag{Name: "id", Usage: "the container's id in the explanation (default: the folder's name)"},
		},
		Action: func(c *cli.Context) error {
			if err := arguments(c, 0, 0); err != nil {
				return err
			}
			if bundle := c.String("explain"); bundle != "" {
				return p.explain(bundle, c.String("id"))
			}
			return p.writeSpec(c.String("bundle"))
		},
	}
}

func (p *Program) explain(bundle, id string) error {
	bundle, err := filepath.Abs(bundle)
	if err != nil {
		return err
	}
	if id == "" {
		id = filepath.Base(bundle)
	}
	return jailctl.Explain(p.Stdout, id, bundle)
}

func (p *Program) writeSpec(bundle string) (retErr error) {
	b, err := json.MarshalIndent(exampleSpec(), "", "\t")
	if err != nil {
		return err
	}
	b = append(b, '\n')
	if bundle == "" {
		_, err = p.Stdout.Write(b)
		return err
	}
	f, err := os.OpenFile(filepath.Join(bundle, configFile), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("file %s exists, remove it first", filepath.Join(bundle, configFile))
	}
	if err != nil {
		return err
	}
	defer func() { retErr = errors.Join(retErr, f.Close()) }()
	_, err = f.Write(b)
	return err
}

// exampleSpec runs a shell at a terminal, on the host's network.
func exampleSpec() *specs.Spec {
	statfs := 1
	return &specs.Spec{
		Version: specs.Version,
		Process: &specs.Process{
			Terminal: true,
			Args:     []string{"sh"},
			Env: []string{
				"PATH=/sbin:/bin:/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin",
				"TERM=xterm",
			},
			Cwd:             "/",
			NoNewPrivileges: true,
		},
		Root:     &specs.Root{Path: "rootfs", Readonly: true},
		Hostname: name,
		Mounts: []specs.Mount{
			{Destination: "/dev", Type: "devfs", Source: "devfs", Options: []string{"ruleset=4"}},
			{Destination: "/dev/fd", Type: "fdescfs", Source: "fdescfs"},
			{Destination: "/tmp", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "mode=1777"}},
		},
		FreeBSD: &specs.FreeBSD{Jail: &specs.FreeBSDJail{EnforceStatfs: &statfs}},
	}
}

func (p *Program) featuresCommand(context.Context) cli.Command {
	return cli.Command{
		Name:  "features",
		Usage: "print what the runtime can do",
		Action: func(c *cli.Context) error {
			if err := arguments(c, 0, 0); err != nil {
				return err
			}
			params, err := kernel.Params()
			if errors.Is(err, kernel.ErrUnsupported) {
				params, err = kernel.BuiltinParams(), nil
			}
			if err != nil {
				return err
			}
			return p.print(jailctl.Features(params))
		},
	}
}
