package main

import (
	"path/filepath"

	"jailshim/driver"
	"jailshim/ociruntime"
	"jailshim/options"
	"jailshim/shim"
)

// runtimes makes the runtime that options select.
type runtimes struct {
	state  string       // see shim.StateDir
	reaper *shim.Reaper // nil in a process that only removes or describes
	// platform makes the runtime for options that name no command.
	platform func(r *runtimes, namespace string, o options.Options) (driver.Runtime, error)
}

func newRuntimes(state string, reaper *shim.Reaper) *runtimes {
	return &runtimes{state: state, reaper: reaper, platform: newPlatform()}
}

// ociFolder, in the state folder, holds the state of OCI runtimes, by namespace.
const ociFolder = "oci"

// get is a task.RuntimeFunc.
func (r *runtimes) get(namespace string, o options.Options) (driver.Runtime, error) {
	if o.OCIRuntime != "" {
		return r.oci(o.OCIRuntime, namespace, o)
	}
	return r.platform(r, namespace, o)
}

// oci returns the runtime that runs containers by a command.
func (r *runtimes) oci(command, namespace string, o options.Options) (driver.Runtime, error) {
	root := o.OCIRoot
	if root == "" {
		root = filepath.Join(r.state, ociFolder)
	}
	c := ociruntime.Config{
		Command:       command,
		Root:          filepath.Join(root, namespace),
		SystemdCgroup: o.SystemdCgroup,
		NoPivotRoot:   o.NoPivotRoot,
		NoNewKeyring:  o.NoNewKeyring,
	}
	if r.reaper != nil {
		c.Signal, c.Inspect = r.reaper.Signal, r.reaper.Inspect
	}
	return ociruntime.New(c)
}
