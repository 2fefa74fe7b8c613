package shim

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

const (
	// orphanAge is how long an orphan stays a zombie before it is reaped: by
	// then, whoever started it as a child of this process has waited for it.
	orphanAge = time.Second
	// orphanPace is the least time between two looks at all children, which a
	// container that has orphans all the time must not make us do all the time.
	orphanPace = orphanAge / 4
)

// Reaper waits for the children of this process. It never takes a status that
// belongs to another waiter, and never loses one that a caller will ask for:
//
//   - Watched pids are waited for one by one, by pid.
//   - Commands started through Start belong to their caller, who calls Wait.
//   - Everything else that became our child is an orphan of some container.
//     Orphans are reaped late (see orphanAge), and not at all while a Hold is
//     in force. A zombie keeps its pid, so a Watch that comes before the Hold is
//     released finds exactly the process that the pid was given to.
//
// The zero value is not usable; use NewReaper.
type Reaper struct {
	signals chan os.Signal
	done    chan struct{}
	ended   chan struct{}

	mu      sync.Mutex // guards the fields below
	inspect map[int]func(pid int)
	next    int // key in inspect
	watched map[int]func(status int, at time.Time)
	owned   map[int]struct{} // started through Start, not yet waited for
	holds   int
	held    bool              // orphans wait for the end of the last hold
	orphans map[int]time.Time // unclaimed zombies, and when each was first seen
	looked  time.Time         // when they were last looked for
}

// NewReaper returns a running Reaper. There must be at most one in a process.
func NewReaper() *Reaper {
	r := &Reaper{
		// One place is enough: a signal that finds it taken is told by the
		// one that waits, and each sweep looks at every child.
		signals: make(chan os.Signal, 1),
		done:    make(chan struct{}),
		ended:   make(chan struct{}),
		inspect: make(map[int]func(int)),
		watched: make(map[int]func(int, time.Time)),
		owned:   make(map[int]struct{}),
		orphans: make(map[int]time.Time),
	}
	signal.Notify(r.signals, syscall.SIGCHLD)
	// goroutine: the Reaper; ends when Close is called; waited for by Close.
	go r.run()
	return r
}

// Close stops reaping. No callback runs after it has returned.
func (r *Reaper) Close() {
	signal.Stop(r.signals)
	close(r.done)
	<-r.ended
}

func (r *Reaper) run() {
	defer close(r.ended)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		told := false
		select {
		case <-r.done:
			return
		case s := <-r.signals:
			told = s != nudge
		case <-timer.C:
		}
		r.reapWatched(told)
		if again := r.reapOrphans(); again > 0 {
			timer.Reset(again)
		}
	}
}

// Inspect has fn called for each watched process that has ended, before it is
// reaped and its callback called: the kernel still knows all about it. fn runs
// in the Reaper's goroutine, must not block and not call the Reaper. Stop ends
// it, after a call under way.
func (r *Reaper) Inspect(fn func(pid int)) (stop func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := r.next
	r.next++
	r.inspect[key] = fn
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.inspect, key)
	}
}

// Hold keeps orphans unreaped until the returned function is called. Take it
// before something may create a process whose pid becomes known only later;
// release it when that pid is watched or given up.
func (r *Reaper) Hold() (release func()) {
	r.mu.Lock()
	r.holds++
	r.mu.Unlock()
	return sync.OnceFunc(func() {
		r.mu.Lock()
		r.holds--
		waited := r.holds == 0 && r.held
		r.mu.Unlock()
		if waited {
			r.wake()
		}
	})
}

// Watch calls fn once, when the child pid has ended, from the Reaper's
// goroutine: fn must not block. status is the exit code, or 128 + the signal's
// number. If the child has ended already, fn is called soon. A pid that is no
// child of this process is an error wrapping ECHILD.
func (r *Reaper) Watch(pid int, fn func(status int, at time.Time)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.watched[pid]; ok {
		return fmt.Errorf("process %d: watched already", pid)
	}
	ended, err := peekChild(pid)
	if err != nil {
		return fmt.Errorf("process %d: %w", pid, err)
	}
	r.watched[pid] = fn
	if ended {
		r.wake() // its signal may have come before
	}
	return nil
}

// Signal sends sig to a watched process. One that has ended, or is not
// watched, is an error wrapping ESRCH: a pid that the kernel may have given to
// another process is never signalled.
func (r *Reaper) Signal(pid int, sig syscall.Signal) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.watched[pid]; !ok {
		return fmt.Errorf("process %d: %w", pid, syscall.ESRCH)
	}
	// While the pid is in the map it has not been reaped, so it is still ours.
	return syscall.Kill(pid, sig)
}

// Start starts a command as exec.Cmd.Start does. The caller must call Wait.
func (r *Reaper) Start(cmd *exec.Cmd) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := cmd.Start(); err != nil {
		return err
	}
	r.owned[cmd.Process.Pid] = struct{}{}
	return nil
}

// Wait waits for a command that Start started, as exec.Cmd.Wait does.
func (r *Reaper) Wait(cmd *exec.Cmd) error {
	err := cmd.Wait()
	r.mu.Lock()
	delete(r.owned, cmd.Process.Pid)
	r.mu.Unlock()
	r.wake()
	return err
}

// wake makes run sweep soon.
func (r *Reaper) wake() {
	select {
	case r.signals <- nudge:
	default:
	}
}

// nudge is no signal: nothing need have ended.
const nudge = syscall.Signal(0)

// call is the callback for a process that has ended.
type call struct {
	fn     func(int, time.Time)
	status int
	at     time.Time
}

// reapWatched reaps every watched process that has ended and calls back. It was told
// if something has ended.
//
// There may be hundreds that run. So the kernel is asked for one that has ended, and
// only if it shows none of ours are all looked at in turn.
func (r *Reaper) reapWatched(told bool) {
	r.mu.Lock()
	calls, all := r.reapShown()
	if !all || told && len(calls) == 0 {
		for pid := range r.watched {
			if len(r.inspect) > 0 && hasEnded(pid) {
				r.look(pid)
			}
			if c, ok := r.reap(pid); ok {
				calls = append(calls, c)
			}
		}
	}
	r.mu.Unlock()
	for _, c := range calls {
		c.fn(c.status, c.at)
	}
}

// reapShown reaps those that the kernel shows, and returns whether there is no other: one that
// is not watched hides those behind it.
func (r *Reaper) reapShown() (calls []call, all bool) {
	for {
		pid, err := peekZombie()
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case err != nil:
			return calls, false
		case pid == 0:
			return calls, true
		}
		if _, ok := r.watched[pid]; !ok {
			return calls, false
		}
		r.look(pid)
		c, ok := r.reap(pid)
		if !ok {
			return calls, false
		}
		calls = append(calls, c)
	}
}

// look has a process that has ended looked at. The caller holds the lock.
func (r *Reaper) look(pid int) {
	for _, inspect := range r.inspect {
		inspect(pid)
	}
}

// reap reaps a watched process if it has ended. The caller holds the lock.
func (r *Reaper) reap(pid int) (call, bool) {
	fn := r.watched[pid]
	var ws syscall.WaitStatus
	got, err := wait4(pid, &ws)
	switch {
	case err != nil:
		// It was our child when the watch began, so somebody else has
		// taken its status. Better an exit with an unknown status than
		// a client that waits for ever.
		slog.Error("status of a watched process was taken", KeyPid, pid, KeyError, err)
		delete(r.watched, pid)
		return call{fn, unknownStatus, time.Now()}, true
	case got != pid || !ended(ws):
		return call{}, false
	}
	delete(r.watched, pid)
	return call{fn, exitStatus(ws), time.Now()}, true
}

// unknownStatus is reported when a process ended and nobody knows how;
// containerd uses the same number.
const unknownStatus = 255

// reapOrphans reaps zombies that nobody claims, each at its age, and returns how
// long to wait before the next look, 0 if there is nothing to wait for.
func (r *Reaper) reapOrphans() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	head, err := peekZombie()
	for errors.Is(err, syscall.EINTR) {
		head, err = peekZombie()
	}
	if err != nil || head == 0 {
		clear(r.orphans)
		return 0
	}
	if _, ok := r.watched[head]; ok {
		// It ended after reapWatched looked: its signal is on the way.
		r.wake()
		return 0
	}
	now := time.Now()
	if wait := orphanPace - now.Sub(r.looked); wait > 0 {
		return wait
	}
	r.looked = now
	r.findOrphans(head, now)
	if r.held = r.holds > 0; r.held {
		return 0 // the end of the last Hold wakes us
	}
	var again time.Duration
	for pid, seen := range r.orphans {
		wait := orphanAge - now.Sub(seen)
		if wait <= 0 {
			var ws syscall.WaitStatus
			_, _ = wait4(pid, &ws)
			delete(r.orphans, pid)
		} else if again == 0 || wait < again {
			again = wait
		}
	}
	return again
}

// findOrphans brings the unclaimed zombies up to date. The kernel shows only the
// head to who asks for any: the others would begin to age one after the other, each
// when the one before it is gone. So all children are looked at. The caller holds
// the lock.
func (r *Reaper) findOrphans(head int, now time.Time) {
	before := r.orphans
	r.orphans = make(map[int]time.Time)
	for _, pid := range append(zombies(), head) {
		_, watched := r.watched[pid]
		_, owned := r.owned[pid]
		if watched || owned {
			continue
		}
		seen, ok := before[pid]
		if !ok {
			seen = now
		}
		r.orphans[pid] = seen
	}
}

// hasEnded reports whether the child pid has ended and was not reaped.
func hasEnded(pid int) bool {
	ended, _ := peekChild(pid)
	return ended
}

// wait4 reaps pid if it has ended, without blocking.
func wait4(pid int, ws *syscall.WaitStatus) (int, error) {
	for {
		got, err := syscall.Wait4(pid, ws, syscall.WNOHANG, nil)
		if !errors.Is(err, syscall.EINTR) {
			return got, err
		}
	}
}

func ended(ws syscall.WaitStatus) bool { return ws.Exited() || ws.Signaled() }

// exitStatus returns the exit code, or 128 + the signal's number.
func exitStatus(ws syscall.WaitStatus) int {
	if ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return ws.ExitStatus()
}
