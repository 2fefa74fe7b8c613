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
	f, err := facts(root)
	if errors.Is(err, kernel.ErrUnsupported) {
		f, err = plan.Facts{
			Racct: true,
			Linux: func(program string) bool { return linuxProgram(root, program) },
		}, nil
	}
	if err != nil {
		return err
	}
	p, err := plan.New(spec, plan.Config{ID: id, Bundle: bundle, Facts: f, Extra: extra})
	if err != nil {
		return err
	}
	return p.Explain(w)
}
