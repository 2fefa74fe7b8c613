package jailctl

import (
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/opencontainers/runtime-spec/specs-go/features"

	"jailshim/internal/version"
	"jailshim/jailctl/kernel"
)

// AnnotationParams is the key under which the features tell the jail parameters
// that the kernel knows, separated by commas.
const AnnotationParams = "org.freebsd.jail.parameters"

// Features is the features structure of the OCI runtime specification.
func Features(params map[string]kernel.ParamInfo) *features.Features {
	names := make([]string, 0, len(params))
	for name := range params {
		names = append(names, name)
	}
	slices.Sort(names)
	list := ""
	for i, n := range names {
		if i > 0 {
			list += ","
		}
		list += n
	}
	return &features.Features{
		OCIVersionMin: "1.0.0",
		OCIVersionMax: specs.Version,
		Hooks:         []string{"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"},
		MountOptions:  mountOptions,

		PotentiallyUnsafeConfigAnnotations: unsafeAnnotations,
		Annotations: map[string]string{
			"org.freebsd.jail.runtime.version": version.Version,
			AnnotationParams:                   list,
		},
	}
}

// unsafeAnnotations are those that change what a container can do or reach; one with a dot
// at its end stands for all that begin so.
var unsafeAnnotations = []string{
	"io.containerd.jail.", "nerdctl/dns", "nerdctl/extraHosts", "nerdctl/ip", "nerdctl/ip6", "nerdctl/mac-address",
	"nerdctl/ports", "nerdctl/state-dir", "org.freebsd.jail.", "org.freebsd.parentJail",
}

// mountOptions are those that mean something; others are passed to the file
// system.
var mountOptions = []string{
	"async", "atime", "bind", "noatime", "noexec", "nosuid", "nosymfollow", "rbind", "ro", "rw", "sync", "tmpcopyup",
}
