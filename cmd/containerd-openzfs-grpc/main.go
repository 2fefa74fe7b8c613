// Command containerd-openzfs-grpc is a snapshotter of containerd's on ZFS, as a proxy
// plugin; see docs/snapshotter.md.
package main

import (
	"context"
	"os"

	"jailshim/snapshotter-zfs/daemon"
)

func main() {
	p := &daemon.Program{Stdout: os.Stdout, Stderr: os.Stderr}
	os.Exit(p.Run(context.Background(), os.Args[1:]))
}
