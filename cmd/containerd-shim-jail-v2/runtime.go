package main

import (
	"path/filepath"
	"syscall"

	"jailshim/driver"
	"jailshim/ociruntime"
	"jailshim/options"
)

// runtimes makes the runtime that options select.
type runtimes struct {
	state  string // see shim.StateDir
	signal func(pid int, sig syscall.Signal) error
}

// ociFolder, in the state folder, holds the state of OCI runtimes, by namespace.
const ociFolder = "oci"

func (r *runtimes) get(namespace string, o options.Options) (driver.Runtime, error) {
	command, root := o.OCIRuntime, o.OCIRoot
	if command == "" {
		command = defaultOCIRuntime
	}
	if root == "" {
		root = filepath.Join(r.state, ociFolder)
	}
	return ociruntime.New(ociruntime.Config{
		Command:       command,
		Root:          filepath.Join(root, namespace),
		SystemdCgroup: o.SystemdCgroup,
		NoPivotRoot:   o.NoPivotRoot,
		NoNewKeyring:  o.NoNewKeyring,
		Signal:        r.signal,
	})
}
