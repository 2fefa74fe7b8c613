package daemon

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// disabled are the plugins that reach outside the daemon's folder, listen
// somewhere, or are there for Kubernetes only. Without them it also starts sooner.
var disabled = []string{
	"io.containerd.grpc.v1.cri",
	"io.containerd.cri.v1.images",
	"io.containerd.cri.v1.runtime",
	"io.containerd.podsandbox.controller.v1.podsandbox",
	"io.containerd.nri.v1.nri",
	"io.containerd.internal.v1.opt",
	"io.containerd.internal.v1.restart",
	"io.containerd.internal.v1.tracing",
	"io.containerd.tracing.processor.v1.otlp",
	"io.containerd.image-verifier.v1.bindir",
	"io.containerd.snapshotter.v1.blockfile",
	"io.containerd.snapshotter.v1.btrfs",
	"io.containerd.snapshotter.v1.devmapper",
	"io.containerd.snapshotter.v1.erofs",
	"io.containerd.differ.v1.erofs",
}

// zfsPlugin is containerd's own snapshotter for ZFS.
const zfsPlugin = "io.containerd.snapshotter.v1.zfs"

// Config is the path of the daemon's configuration.
func (d *Daemon) Config() string { return filepath.Join(d.Dir, "config.toml") }

// config is the daemon's configuration: version 3 is what 2.0 to 2.4 all read.
func (d *Daemon) config() string {
	var quoted []string
	for _, id := range disabled {
		quoted = append(quoted, strconv.Quote(id))
	}
	if d.dataset == "" {
		quoted = append(quoted, strconv.Quote(zfsPlugin))
	}
	level := "info"
	if d.Debug {
		level = "debug"
	}
	return fmt.Sprintf(`version = 3
root = %q
state = %q
temp = %q

disabled_plugins = [
  %s,
]

[grpc]
address = %q

[ttrpc]
address = %q

[debug]
level = %q

[plugins.'io.containerd.shim.v1.manager']
socket_dir = %q

[timeouts]
%s
%s`, d.root(), filepath.Join(d.Dir, "state"), filepath.Join(d.Dir, "tmp"),
		strings.Join(quoted, ",\n  "), d.Address, d.EventAddress, level, d.Sockets(), timeouts(), d.Extra)
}

// timeouts are containerd's own for what shims do, longer in the measure in which
// [Patience] is: a shim's cleanup that is cut short on a slow machine leaves things, as
// it would there without a test.
func timeouts() string {
	var b strings.Builder
	for name, usual := range map[string]time.Duration{
		"io.containerd.timeout.shim.load":     5 * time.Second,
		"io.containerd.timeout.shim.cleanup":  5 * time.Second,
		"io.containerd.timeout.shim.shutdown": 3 * time.Second,
		"io.containerd.timeout.task.state":    2 * time.Second,
	} {
		longer := max(1, int(Patience/usualPatience))
		fmt.Fprintf(&b, "%q = %q\n", name, usual*time.Duration(longer))
	}
	return b.String()
}

// root is the folder of what the daemon keeps: images and snapshots.
func (d *Daemon) root() string { return filepath.Join(d.Dir, "root") }

// Snapshotter returns the name of the snapshotter to use with the running
// daemon: overlayfs where it works in the daemon's folder, otherwise native,
// which copies.
func (d *Daemon) Snapshotter(ctx context.Context) (_ string, retErr error) {
	const native = "native"
	if DefaultSnapshotter == native {
		return native, nil
	}
	client, err := d.Client(d.Name())
	if err != nil {
		return "", err
	}
	defer func() { retErr = errors.Join(retErr, client.Close()) }()
	response, err := client.IntrospectionService().Plugins(ctx, "type==io.containerd.snapshotter.v1,id=="+DefaultSnapshotter)
	if err != nil {
		return "", fmt.Errorf("ask containerd for its plugins: %w", err)
	}
	for _, p := range response.Plugins {
		if p.InitErr == nil {
			return p.ID, nil
		}
	}
	return native, nil
}
