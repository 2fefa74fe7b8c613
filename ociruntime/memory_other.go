//go:build !freebsd

package ociruntime

// memoryKills returns nil: cgroups tell.
func memoryKills(int) func(pid int, limit uint64) bool { return nil }
