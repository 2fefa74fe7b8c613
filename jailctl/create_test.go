package jailctl

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerd/errdefs"

	"jailshim/driver"
)

// The mounts on and below a container's root are removed with it: of the host's that
// would be all.
func TestCreate_RootIsTheHosts_Refused(t *testing.T) {
	for name, config := range map[string]string{
		"by its path":                   `{"root": {"path": "/"}}`,
		"by a link of the bundle":       `{"root": {"path": "rootfs"}}`,
		"by the same link, not by name": `{}`,
	} {
		bundle := t.TempDir()
		if err := os.Symlink("/", filepath.Join(bundle, "rootfs")); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(bundle, "config.json"), []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := New(Config{Root: t.TempDir()}).Create(t.Context(), &driver.CreateConfig{ID: "web", Bundle: bundle})
		if !errdefs.IsInvalidArgument(err) || !strings.Contains(err.Error(), "root.path") {
			t.Errorf("%s: got error %v, want one about root.path wrapping ErrInvalidArgument", name, err)
		}
	}
}
