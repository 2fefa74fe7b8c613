package shim

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"jailshim/internal/lazyjson"
)

// groupAnnotations name the group of a container, the first that is set wins.
var groupAnnotations = []string{
	"io.containerd.jail.v2.group",
	"io.containerd.runc.v2.group",
	"io.kubernetes.cri.sandbox-id",
}

// Group returns the group that a container's annotations name, or its own id.
// All containers of one group in one namespace share one shim process.
func Group(annotations map[string]string, id string) string {
	for _, key := range groupAnnotations {
		if g := annotations[key]; g != "" {
			return g
		}
	}
	return id
}

// bundleGroup reads the group from the bundle's config.json. A bundle without
// one (a sandbox's) is a group of its own.
func bundleGroup(bundle, id string) (string, error) {
	b, err := os.ReadFile(filepath.Join(bundle, "config.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return id, nil
	}
	if err != nil {
		return "", err
	}
	var spec struct {
		Annotations map[string]string `json:"annotations"`
	}
	if err := lazyjson.Unmarshal(b, &spec); err != nil {
		return "", fmt.Errorf("%s: %w", filepath.Join(bundle, "config.json"), err)
	}
	return Group(spec.Annotations, id), nil
}
