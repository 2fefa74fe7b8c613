// Package e2e holds the end-to-end tests: each drives a real containerd daemon,
// as its users do, with our shim under it and real containers under that. See
// package testbed for how they get all this.
//
// The same tests pass on containerd's own runc shim (E2E_RUNTIME=io.containerd.runc.v2),
// except where a comment says what ours does better.
package e2e
