package port

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/containerd/errdefs"

	"jailshim/netsetup/locked"
)

// Registry holds who has published which ports of the host, for all networks, in a
// file that processes share.
type Registry struct{ folder *locked.Folder }

// registryFile is the name of the file.
const registryFile = "ports"

// Claim is what one owner has published.
type Claim struct {
	Owner string    `json:"owner"`
	Ports []Mapping `json:"ports"`
}

// OpenRegistry opens the registry in the folder dir, which it makes.
func OpenRegistry(dir string) (*Registry, error) {
	folder, err := locked.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("published ports: %w", err)
	}
	return &Registry{folder: folder}, nil
}

// Claim records that an owner publishes ports, in place of what it published before.
// A port that another owner has is an error of class AlreadyExists that names both;
// then nothing changes. An empty list is a release.
func (r *Registry) Claim(ctx context.Context, owner string, ports []Mapping) error {
	if err := Check(ports); err != nil {
		return err
	}
	return r.change(ctx, func(claims map[string][]Mapping) error {
		for _, other := range slices.Sorted(maps.Keys(claims)) {
			if other == owner {
				continue
			}
			if err := conflict(owner, ports, other, claims[other]); err != nil {
				return err
			}
		}
		if len(ports) == 0 {
			delete(claims, owner)
		} else {
			claims[owner] = ports
		}
		return nil
	})
}

func conflict(owner string, ports []Mapping, other string, theirs []Mapping) error {
	for _, m := range ports {
		for _, their := range theirs {
			if p, ok := m.shares(their); ok {
				return fmt.Errorf("publish %s for %q: port %d/%s of the host is published by %q as %s: %w",
					m, owner, p, m.Protocol, other, their, errdefs.ErrAlreadyExists)
			}
		}
	}
	return nil
}

// Release drops an owner's ports. An owner without any is no error.
func (r *Registry) Release(ctx context.Context, owner string) error {
	return r.Claim(ctx, owner, nil)
}

// List returns all claims, by owner.
func (r *Registry) List(ctx context.Context) ([]Claim, error) {
	var list []Claim
	err := r.change(ctx, func(claims map[string][]Mapping) error {
		for _, owner := range slices.Sorted(maps.Keys(claims)) {
			list = append(list, Claim{Owner: owner, Ports: claims[owner]})
		}
		return nil
	})
	return list, err
}

// Sweep releases the ports of owners that are not alive, and returns their claims.
// alive is called with the registry locked.
func (r *Registry) Sweep(ctx context.Context, alive func(owner string) bool) ([]Claim, error) {
	var swept []Claim
	err := r.change(ctx, func(claims map[string][]Mapping) error {
		for _, owner := range slices.Sorted(maps.Keys(claims)) {
			if !alive(owner) {
				swept = append(swept, Claim{Owner: owner, Ports: claims[owner]})
				delete(claims, owner)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return swept, nil
}

// change calls edit with the claims, and writes them if they have changed.
func (r *Registry) change(ctx context.Context, edit func(claims map[string][]Mapping) error) error {
	return r.folder.Do(ctx, func() error {
		claims := map[string][]Mapping{}
		if err := r.folder.Read(registryFile, &claims); err != nil {
			return fmt.Errorf("published ports: %w", err)
		}
		before := maps.Clone(claims)
		if err := edit(claims); err != nil {
			return err
		}
		if maps.EqualFunc(before, claims, slices.Equal) {
			return nil
		}
		if err := r.folder.Write(registryFile, claims); err != nil {
			return fmt.Errorf("published ports: %w", err)
		}
		return nil
	})
}
