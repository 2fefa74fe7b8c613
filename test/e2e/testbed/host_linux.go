package testbed

import (
	"github.com/containerd/containerd/v2/pkg/oci"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// ociCommand is the OCI command that tests may use.
const ociCommand = "runc"

// jailsByDefault tells whether our shim needs no OCI command.
const jailsByDefault = false

// MemoryMetrics is needed to see how much memory is used.
var MemoryMetrics = MemoryAccounting

// LimitKillsTheLargest tells which process a limit of memory ends.
const LimitKillsTheLargest = true

// PoststartAtCreate tells whether poststart hooks run before the start: runc runs
// them when it has created the container.
const PoststartAtCreate = true

// defaultSpec is what the spec of every container has that a test doesn't make
// its own: nothing here.
func defaultSpec() []oci.SpecOpts { return nil }

// WithHostDir makes a folder of the host a container's folder.
func WithHostDir(host, container string) oci.SpecOpts {
	return oci.WithMounts([]specs.Mount{{
		Type: "bind", Source: host, Destination: container, Options: []string{"rbind", "rw"},
	}})
}
