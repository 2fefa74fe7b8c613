//go:build !freebsd

package main

import (
	"jailshim/driver"
	"jailshim/options"
)

// defaultOCIRuntime runs the containers when the options name none.
const defaultOCIRuntime = "runc"

// newPlatform returns what runs containers by that command.
func newPlatform() func(r *runtimes, namespace string, o options.Options) (driver.Runtime, error) {
	return func(r *runtimes, namespace string, o options.Options) (driver.Runtime, error) {
		return r.oci(defaultOCIRuntime, namespace, o)
	}
}
