package jailctl

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"jailshim/jailctl/kernel"
	"jailshim/jailctl/plan"
)

// killTimeout bounds how long processes are hunted that make others faster than
// they are killed. The jail's removal, which is final, ends them all.
const killTimeout = 2 * time.Second

// identify tells a process from all others. One that is gone is an error wrapping
// ESRCH.
func identify(pid int) (ProcessID, kernel.Process, error) {
	p, err := kernel.ProcessByID(pid)
	if err != nil {
		return ProcessID{}, p, err
	}
	boot, err := kernel.BootTime()
	if err != nil {
		return ProcessID{}, p, err
	}
	return ProcessID{pid, p.Start.Sub(boot)}, p, nil
}

// living returns what the kernel knows of a process, if it exists, is the one that
// was meant, and no zombie.
func living(id ProcessID) (kernel.Process, bool) {
	if id.Pid == 0 {
		return kernel.Process{}, false
	}
	got, p, err := identify(id.Pid)
	return p, err == nil && got == id && p.Stat != kernel.ProcZombie
}

// processes returns the container's processes, zombies left out, and those of
// jails inside its jail included.
func (k *Container) processes() ([]kernel.Process, error) {
	ids, err := k.jids()
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	all, err := kernel.ProcessesIn(ids...)
	return slices.DeleteFunc(all, func(p kernel.Process) bool { return p.Stat == kernel.ProcZombie }), err
}

// jids returns the numbers of the container's jail and of those inside it; none if
// the jail is gone. The number in the state is not asked: it may be another jail's
// by now, as after a restart of the machine.
func (k *Container) jids() ([]int, error) {
	j, err := k.livingJail()
	if err != nil || j == nil {
		return nil, err
	}
	name, ids := j.Name, []int{j.ID}
	if k.plan != nil && !nests(k.plan) {
		return ids, nil
	}
	all, err := kernel.Jails(false)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(j kernel.JailInfo) bool { return !strings.HasPrefix(j.Name, name+".") })
	if len(all) == 0 {
		return ids, nil
	}
	members, err := k.rt.jailsBelow(name)
	if err != nil {
		return nil, err
	}
	for _, j := range all {
		if !slices.ContainsFunc(members, func(m string) bool { return j.Name == m || strings.HasPrefix(j.Name, m+".") }) {
			ids = append(ids, j.ID)
		}
	}
	return ids, nil
}

// jailsBelow returns the names of the jails in a jail that are containers of their own, as
// those of a pod are in its first one.
func (r *Runtime) jailsBelow(name string) ([]string, error) {
	containers, err := r.store.names()
	if err != nil {
		return nil, err
	}
	var jails []string
	for _, c := range containers {
		if st, err := r.store.read(c); err == nil && strings.HasPrefix(st.Jail, name+".") {
			jails = append(jails, st.Jail)
		}
	}
	return jails, nil
}

// nests reports whether jails can be made inside the planned one.
func nests(p *plan.Plan) bool {
	i := slices.IndexFunc(p.Params, func(p kernel.Param) bool { return p.Name == "children.max" })
	if i < 0 {
		return false
	}
	n, err := kernel.DecodeInt(p.Params[i].Value)
	return err == nil && n > 0
}

// Pids implements driver.Container.
func (k *Container) Pids(context.Context) ([]int, error) {
	all, err := k.processes()
	if err != nil {
		return nil, err
	}
	pids := make([]int, 0, len(all))
	for _, p := range all {
		pids = append(pids, p.Pid)
	}
	return pids, nil
}

// KillAll implements driver.Container.
func (k *Container) KillAll(_ context.Context, sig syscall.Signal) error {
	return k.signalAll(sig, killTimeout)
}

// signalAll signals every process once, and those that come up meanwhile, until
// there is none that has not got it.
func (k *Container) signalAll(sig syscall.Signal, limit time.Duration) error {
	end := time.Now().Add(limit)
	type process struct {
		pid   int
		start time.Time
	}
	done := make(map[process]bool)
	for time.Now().Before(end) {
		all, err := k.processes()
		if err != nil {
			return err
		}
		fresh := false
		for _, p := range all {
			id := process{p.Pid, p.Start}
			if done[id] {
				continue
			}
			done[id], fresh = true, true
			if err := syscall.Kill(p.Pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("signal %d to process %d: %w", sig, p.Pid, err)
			}
		}
		if !fresh {
			return nil
		}
	}
	return fmt.Errorf("processes come up faster than they can be signalled: %w", context.DeadlineExceeded)
}

// Quiesce implements driver.Container: removing the jail is the one way to kill
// everything that nothing can escape from.
func (k *Container) Quiesce(ctx context.Context) error {
	k.keepUsage()
	j, err := k.openJail()
	if err != nil {
		return nil // an operator has removed it
	}
	k.mu.Lock()
	st := k.state
	k.mu.Unlock()
	// As long as the jail is there; see remove, which does it again if this fails.
	if err := k.rt.detachNetwork(ctx, &st); err != nil {
		slog.Warn("a container that has ended is still on its network", "container", st.ID, "error", err)
	} else {
		k.mu.Lock()
		k.state.Network = NetworkState{Lent: st.Network.Lent} // whose names wait for the jail's end
		k.mu.Unlock()
	}
	if err := j.Remove(); err != nil && !isGone(err) {
		return errorf(k.state.Jail, "remove: %w", err)
	}
	// The execs' ends are their watchers' to see, and come before the init's.
	end := time.Now().Add(killTimeout)
	for pause := firstPause; time.Now().Before(end); pause = min(2*pause, longPause) {
		reapJail(j.ID, k.owns)
		if k.empty(j.ID) {
			break
		}
		time.Sleep(pause)
	}
	k.reportKill()
	return nil
}

// empty reports whether the jail has no process left but zombies that others
// wait for.
func (k *Container) empty(jid int) bool {
	if s, err := kernel.StateOfJail(jid); err == nil && s == kernel.JailGone {
		k.mu.Lock()
		k.gone = true
		k.mu.Unlock()
		return true
	}
	all, err := kernel.ProcessesIn(jid)
	return err == nil && !slices.ContainsFunc(all, func(p kernel.Process) bool {
		return p.Stat != kernel.ProcZombie || !k.owns(p.Pid) && p.PPid == os.Getpid()
	})
}

// lookAt sees why a process ended that has not been reaped. It is called by the
// caller's reaper.
func (k *Container) lookAt(pid int) {
	p, err := kernel.ProcessByID(pid)
	if err != nil {
		return
	}
	over := k.overLimit(&p)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.usage.ended(&p)
	if p.Killed || over {
		k.killed = true
		k.usage.oomKills++
		// goroutine: the container; ends with the callback, which does not block.
		// The reaper does not wait for it.
		go k.reportKill()
	}
}

// overLimit reports whether a process that ended was killed by the limit of
// memory.
func (k *Container) overLimit(p *kernel.Process) bool {
	k.mu.Lock()
	limit := k.state.Memory
	k.mu.Unlock()
	return p.KilledForMemory(limit, k.processes)
}

// reportKill tells once of a kill for want of memory. When it returns, it has been told.
func (k *Container) reportKill() {
	k.telling.Lock()
	defer k.telling.Unlock()
	k.mu.Lock()
	told := k.killed
	k.killed = false
	k.mu.Unlock()
	if told && k.oom != nil {
		k.oom()
	}
}
