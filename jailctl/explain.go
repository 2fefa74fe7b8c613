package jailctl

import (
	"errors"
	"io"
	"path/filepath"

	"jailshim/driver"
	"jailshim/jailctl/kernel"
	"jailshim/jailctl/plan"
)

// Explain writes what would be done for a container of the bundle. On a system
// without jails it tells what FreeBSD 15.1 with resource accounting would do.
func Explain(w io.Writer, id, bundle string) error {
	bundle, err := filepath.Abs(bundle)
	if err != nil {
		return err
	}
	spec, extra, err := plan.Load(bundle)
	if err != nil {
		return err
	}
	root := rootPath(spec, &driver.CreateConfig{Bundle: bundle})
	config := plan.Config{ID: id, Bundle: bundle, Extra: extra}
	m := machine{params: make(map[string]kernel.ParamInfo)}
	p, err := m.plan(spec, config, root)
	if errors.Is(err, kernel.ErrUnsupported) {
		config.Facts = plan.Facts{
			Racct: true,
			Linux: func(program string) bool { return linuxProgram(root, program) },
		}
		p, err = plan.New(spec, config)
	}
	if err != nil {
		return err
	}
	return p.Explain(w)
}
