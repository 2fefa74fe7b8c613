package daemon

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

// disabled are the plugins that reach outside the daemon's folder, listen
// somewhere, or are there for Kubernetes only.
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
	"io.containerd.snapshotter.v1.zfs",
}

// Config is the path of the daemon's configuration.
func (d *Daemon) Config() string { return filepath.Join(d.Dir, "config.toml") }

func (d *Daemon) config() string {
	quoted := make([]string, len(disabled))
	for i, id := range disabled {
		quoted[i] = strconv.Quote(id)
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

[plugins.'io.containerd.shim.v1.manager']
socket_dir = %q
`, filepath.Join(d.Dir, "root"), filepath.Join(d.Dir, "state"), filepath.Join(d.Dir, "tmp"),
		strings.Join(quoted, ",\n  "), d.Address, d.Address+".ttrpc", d.sockets())
}

// sockets is the folder of the shims' sockets.
func (d *Daemon) sockets() string { return filepath.Join(d.Dir, "s") }

// bundles is the folder of the containers' bundles, below a folder for each
// namespace.
func (d *Daemon) bundles() string {
	return filepath.Join(d.Dir, "state", "io.containerd.runtime.v2.task")
}

// Snapshotter returns the name of the snapshotter to use with the running
// daemon: overlayfs where it works in the daemon's folder, otherwise native,
// which copies.
func (d *Daemon) Snapshotter(ctx context.Context) (_ string, retErr error) {
	const native = "native"
	if runtime.GOOS != "linux" {
		return native, nil
	}
	client, err := d.Client()
	if err != nil {
		return "", err
	}
	defer func() { retErr = errors.Join(retErr, client.Close()) }()
	response, err := client.IntrospectionService().Plugins(ctx, "type==io.containerd.snapshotter.v1,id==overlayfs")
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
