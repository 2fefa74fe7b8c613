package jailctl

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"jailshim/netsetup/locked"
)

// roots remembers where else than below DefaultRoot and shims' state there are
// containers with networks: gc must know them all. It is a folder with a file for each,
// by the scope of its names, that holds the path.
type roots string

const rootsFolder roots = "/var/run/jailshim/roots"

// remembers reports whether the runtime's root is among those that are remembered.
func (r *Runtime) remembers() bool { return r.config.Namespace == "" && r.config.Root != DefaultRoot }

// remember writes down where the runtime keeps its containers. One of them has its
// folder by then.
func (f roots) remember(ctx context.Context, r *Runtime) error {
	if !r.remembers() {
		return nil
	}
	return f.change(ctx, func(files *locked.Folder) error {
		var known string
		if err := files.Read(r.scope(), &known); err != nil || known != "" {
			return err
		}
		return files.Write(r.scope(), realPath(r.config.Root))
	})
}

// forget ends remember if the runtime has no container any more.
func (f roots) forget(ctx context.Context, r *Runtime) error {
	if !r.remembers() || !locked.Has(string(f), r.scope()) {
		return nil // most have no networks
	}
	return f.change(ctx, func(files *locked.Folder) error {
		names, err := r.store.names()
		if err != nil || len(names) > 0 {
			return err
		}
		return files.Remove(r.scope())
	})
}

// list returns the roots. Those that are gone are forgotten.
func (f roots) list(ctx context.Context) (all []string, err error) {
	if _, err := os.Stat(string(f)); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	err = f.change(ctx, func(files *locked.Folder) error {
		scopes, err := files.Names()
		for _, scope := range scopes {
			var root string
			if err := files.Read(scope, &root); err != nil {
				return err
			}
			if _, err := os.Stat(root); !errors.Is(err, fs.ErrNotExist) {
				all = append(all, root)
			} else if err := files.Remove(scope); err != nil {
				return err
			}
		}
		return err
	})
	return all, err
}

// change calls do while no other process changes the folder, which it makes.
func (f roots) change(ctx context.Context, do func(*locked.Folder) error) error {
	files, err := locked.Open(string(f))
	if err != nil {
		return err
	}
	return files.Do(ctx, func() error { return do(files) })
}

// OtherRoots returns the roots, other than DefaultRoot and those of shims, below which
// there may be containers with networks. Roots that are gone are forgotten.
func OtherRoots(ctx context.Context) ([]string, error) { return rootsFolder.list(ctx) }
