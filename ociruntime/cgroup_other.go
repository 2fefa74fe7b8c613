//go:build !linux

package ociruntime

import (
	"fmt"

	"github.com/containerd/errdefs"
	"google.golang.org/protobuf/proto"
)

// pidNamespaces is false: clients ask for pids of its own on any system, and only
// Linux has them.
const pidNamespaces = false

// cgroup stands for what only Linux has; it is always nil.
type cgroup struct{}

func watchCgroup(int, func()) *cgroup { return nil }

func (*cgroup) reportKills() bool { return false }

func (*cgroup) stats() (proto.Message, error) {
	return nil, fmt.Errorf("statistics: %w", errdefs.ErrNotImplemented)
}

func (*cgroup) close() {}

func inUse(string) bool { return false }

func removeCgroup(string) error { return nil }
