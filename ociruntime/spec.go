package ociruntime

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/containerd/errdefs"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"jailshim/internal/lazyjson"
)

// readSpec reads a bundle's config.json. One that is not there, or can't be
// decoded, is an error wrapping errdefs.ErrInvalidArgument.
func readSpec(bundle string) (*specs.Spec, error) {
	path := filepath.Join(bundle, configFile)
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errdefs.ErrInvalidArgument, err)
	}
	return parseSpec(path, b)
}

func parseSpec(path string, b []byte) (*specs.Spec, error) {
	var s specs.Spec
	if err := lazyjson.Unmarshal(b, &s); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", path, errdefs.ErrInvalidArgument, err)
	}
	return &s, nil
}

// checkSpec returns an error wrapping errdefs.ErrInvalidArgument that names the
// field of config.json without which nothing can be run. What else may be wrong
// with it the OCI runtime knows.
func checkSpec(s *specs.Spec) error {
	invalid := func(field, problem string) error {
		return fmt.Errorf("%s: %s %s: %w", configFile, field, problem, errdefs.ErrInvalidArgument)
	}
	switch {
	case s.Root == nil || s.Root.Path == "":
		return invalid("root.path", "is missing")
	case s.Process == nil:
		return invalid("process", "is missing")
	case len(s.Process.Args) == 0:
		return invalid("process.args", "is empty")
	case !filepath.IsAbs(s.Process.Cwd):
		return invalid("process.cwd", fmt.Sprintf("%q is not an absolute path", s.Process.Cwd))
	}
	return nil
}

// ownPids reports that the container has a pid namespace of its own, so that the
// kernel ends all its processes when the init ends.
func ownPids(s *specs.Spec) bool {
	if !pidNamespaces || s.Linux == nil {
		return false
	}
	for _, n := range s.Linux.Namespaces {
		if n.Type == specs.PIDNamespace {
			return n.Path == ""
		}
	}
	return false
}

// ownCgroup returns the path of the container's cgroup; empty if none is set, and if it may
// be that of others, too: clients end the path of one's own with the id.
func ownCgroup(s *specs.Spec, id string) string {
	if s.Linux == nil || filepath.Base(s.Linux.CgroupsPath) != id {
		return ""
	}
	return s.Linux.CgroupsPath
}
