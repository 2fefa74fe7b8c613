package ociruntime

import (
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// memoryLimit is the limit of memory that resources set, in bytes; 0 is none. It is
// false if they don't say.
func memoryLimit(r *specs.LinuxResources) (uint64, bool) {
	if r == nil || r.Memory == nil || r.Memory.Limit == nil {
		return 0, false
	}
	return uint64(max(0, *r.Memory.Limit)), true
}

// setMemory notes a limit that is in force.
func (k *container) setMemory(r *specs.LinuxResources) {
	if limit, ok := memoryLimit(r); ok {
		k.memory.Store(limit)
	}
}

// watchMemory calls oom when a limit of memory has ended one of the container's
// processes, where no cgroup tells it: the kernel is asked about each that has ended.
func (k *container) watchMemory(spec *specs.Spec, oom func()) {
	if spec.Linux != nil {
		k.setMemory(spec.Linux.Resources)
	}
	if oom == nil || k.config.Inspect == nil {
		return
	}
	killed := memoryKills(k.init.Pid)
	if killed == nil {
		return
	}
	k.oom = oom
	k.unwatch = k.config.Inspect(func(pid int) {
		if killed(pid, k.memory.Load()) {
			k.noteKill()
		}
	})
}

// noteKill counts a kill, and has oom called without waiting for it.
func (k *container) noteKill() {
	k.mu.Lock()
	k.oomKills++
	k.untold++
	k.mu.Unlock()
	// goroutine: the container; ends with the callbacks, which do not block. The reaper
	// does not wait for it.
	go k.tellKills()
}

// tellKills calls oom for each kill that it was not called for. When it returns, it has
// been.
func (k *container) tellKills() {
	k.telling.Lock()
	defer k.telling.Unlock()
	k.mu.Lock()
	n := k.untold
	k.untold = 0
	k.mu.Unlock()
	for range n {
		k.oom()
	}
}
