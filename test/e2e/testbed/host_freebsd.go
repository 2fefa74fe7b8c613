package testbed

import (
	"github.com/containerd/containerd/v2/pkg/oci"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// ociCommand is the OCI command that tests may use.
const ociCommand = "jailctl"

// jailsByDefault tells whether our shim needs no OCI command.
const jailsByDefault = true

// MemoryMetrics is needed to see how much memory is used: without accounting, what
// each process has of it is added up.
var MemoryMetrics = Need{Name: "statistics of memory", Check: func() error { return nil }}

// LimitKillsTheLargest tells which process a limit of memory ends: here it is any
// that the kernel looks at while the jail has too much.
const LimitKillsTheLargest = false

// PoststartAtCreate tells whether poststart hooks run before the start.
const PoststartAtCreate = false

// defaultSpec is what the spec of every container has that a test doesn't make
// its own: the host's network. To make and remove a network stack takes longer
// than all the rest of a short container's life, and few tests are about it.
func defaultSpec() []oci.SpecOpts {
	return []oci.SpecOpts{oci.WithHostNamespace(specs.NetworkNamespace)}
}

// WithHostDir makes a folder of the host a container's folder.
func WithHostDir(host, container string) oci.SpecOpts {
	return oci.WithMounts([]specs.Mount{{Type: "nullfs", Source: host, Destination: container}})
}
