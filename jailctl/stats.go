package jailctl

import (
	"context"
	"time"

	"jailshim/driver"
	"jailshim/jailctl/kernel"
)

// usage is what a container has used. It never goes back: what an ended process
// used is not forgotten with it.
type usage struct {
	cpu, user, system time.Duration // the most that was ever reported
	past              time.Duration // of ended processes that we saw end
	pastUser          time.Duration
	pastSystem        time.Duration
	in, out           int64 // blocks read and written by ended processes
	oomKills          uint64
}

// sample is a look at a container's processes.
type sample struct {
	memory  uint64 // bytes
	pids    uint64
	in, out int64
}

// ended adds what a process used that has ended and is about to be reaped, with
// its own children that it waited for.
func (u *usage) ended(p *kernel.Process) {
	u.past += p.Runtime + p.ChildTime
	u.pastUser += p.UserTime
	u.pastSystem += p.SystemTime
	u.in += p.InBlock
	u.out += p.OutBlock
}

// measure looks at the container's processes.
func (k *Container) measure() (*sample, error) {
	all, err := k.processes()
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	u := &k.usage
	s := &sample{pids: uint64(len(all)), in: u.in, out: u.out}
	cpu, user, system := u.past, u.pastUser, u.pastSystem
	largest := uint64(0)
	for _, p := range all {
		largest = max(largest, uint64(p.RSS))
		s.memory += uint64(p.RSS)
		s.in += p.InBlock
		s.out += p.OutBlock
		cpu += p.Runtime + p.ChildTime
		user += p.UserTime
		system += p.SystemTime
	}
	if r, err := kernel.Usage(k.state.Jail); err == nil && len(all) > 0 {
		// Shared pages count once there, but it is updated each second only, and
		// starts at nothing.
		if m := r["memoryuse"]; m > 0 {
			s.memory = max(m, largest)
		}
		cpu = max(cpu, time.Duration(r["cputime"])*time.Second)
	}
	u.cpu, u.user, u.system = max(u.cpu, cpu), max(u.user, user), max(u.system, system)
	return s, nil
}

// keepUsage takes the last look, when the init has ended.
func (k *Container) keepUsage() {
	k.mu.Lock()
	jail := k.state.Jail
	k.mu.Unlock()
	// Mostly the init was the last one, and the accounts of the jail know that
	// without looking at every process there is.
	if r, err := kernel.Usage(jail); err == nil {
		if n, ok := r["maxproc"]; ok && n == 0 {
			return
		}
	}
	// What can't be measured stays as it was.
	_, _ = k.measure()
}

// Stats implements driver.Container; it returns a *driver.Usage.
func (k *Container) Stats(context.Context) (any, error) { return k.Usage() }

// Usage returns what the container uses and has used.
func (k *Container) Usage() (*driver.Usage, error) {
	s, err := k.measure()
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	u := &k.usage
	return &driver.Usage{
		CPU: u.cpu, User: u.user, System: u.system,
		Memory: s.memory, MemoryLimit: k.state.Memory,
		Pids: s.pids, PidsLimit: k.state.Pids,
		Reads: uint64(max(s.in, 0)), Writes: uint64(max(s.out, 0)),
		OOMKills: u.oomKills,
	}, nil
}
