//go:build !freebsd

package main

import (
	"jailshim/driver"
	"jailshim/options"
)

// becomeStage does nothing: containers have no first stage of ours here.
func becomeStage([]string) {}

// defaultOCIRuntime runs the containers when the options name none.
const defaultOCIRuntime = "runc"

// platform runs containers when the options name no command.
func (r *runtimes) platform(namespace string, o options.Options) (driver.Runtime, error) {
	return r.oci(defaultOCIRuntime, namespace, o)
}
