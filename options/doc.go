// Package options decodes the runtime options that a client of containerd
// passes with a task: none, runtimeoptions.v1.Options with TOML, or the options
// type of the runc shim. It has no state and makes no system call beyond
// reading the file that ConfigPath names.
package options
