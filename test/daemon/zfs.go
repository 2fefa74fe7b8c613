package daemon

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// UseZFS gives containerd's own snapshotter "zfs" a new dataset below parent,
// which must exist. It goes with the daemon.
func (d *Daemon) UseZFS(parent string) error {
	dataset := path.Join(parent, d.Name())
	if err := os.MkdirAll(d.root(), 0o711); err != nil {
		return err
	}
	if _, err := zfs("create", "-o", "mountpoint="+d.zfsRoot(), dataset); err != nil {
		return err
	}
	d.dataset = dataset
	return nil
}

// zfsRoot is where that dataset is mounted.
func (d *Daemon) zfsRoot() string { return filepath.Join(d.root(), zfsPlugin) }

// findDataset finds the dataset of a daemon that another process has left. It
// looks at the mounts first: where there is none, zfs(8) is not run, as it would
// load the kernel module.
func (d *Daemon) findDataset(mounts []string) error {
	if d.dataset != "" || !slices.Contains(mounts, d.zfsRoot()) {
		return nil
	}
	names, err := zfs("list", "-H", "-o", "name", d.zfsRoot())
	if err == nil && len(names) != 1 {
		err = fmt.Errorf("datasets %q are mounted on %s, want one", names, d.zfsRoot())
	}
	if err == nil {
		d.dataset = names[0]
	}
	return err
}

// removeDataset removes the dataset and all below it.
func (d *Daemon) removeDataset() error {
	if d.dataset == "" {
		return nil
	}
	_, err := zfs("destroy", "-R", "-f", d.dataset)
	if err == nil {
		d.dataset = ""
	}
	return err
}

// zfs runs zfs(8) and returns the lines that it prints.
func zfs(args ...string) ([]string, error) {
	out, err := exec.Command("zfs", args...).Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, bytes.TrimSpace(exit.Stderr))
		}
		return nil, fmt.Errorf("zfs %s: %w", strings.Join(args, " "), err)
	}
	return strings.Fields(string(out)), nil
}
