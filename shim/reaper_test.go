package shim

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// deadline bounds every wait of these tests.
const deadline = 20 * time.Second

// child starts a shell command behind the Reaper's back, as an OCI runtime's
// container is: only its pid is known.
func child(t *testing.T, script string) int {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", script)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd.Process.Pid
}

type end struct {
	status int
	at     time.Time
}

func watch(t *testing.T, r *Reaper, pid int) <-chan end {
	t.Helper()
	c := make(chan end, 2) // two, to see a second call
	if err := r.Watch(pid, func(status int, at time.Time) { c <- end{status, at} }); err != nil {
		t.Fatalf("Watch(%d): %v", pid, err)
	}
	return c
}

func await[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(deadline):
		t.Fatalf("timed out waiting for %s", what)
		panic("unreachable")
	}
}

func TestReaper_WatchedChild_ReportsStatus(t *testing.T) {
	r := NewReaper()
	defer r.Close()
	for _, tc := range []struct {
		script string
		want   int
	}{
		{"exit 0", 0},
		{"exit 7", 7},
		{"exit 255", 255},
		{"kill -9 $$", 128 + 9},
		{"kill -15 $$", 128 + 15},
	} {
		if got := await(t, watch(t, r, child(t, tc.script)), tc.script); got.status != tc.want {
			t.Errorf("%q: status %d, want %d", tc.script, got.status, tc.want)
		}
	}
}

// A container can end before the shim has learned its pid; its status must still
// be there.
func TestReaper_ChildEndedBeforeWatch_ReportsStatus(t *testing.T) {
	r := NewReaper()
	defer r.Close()
	release := r.Hold()
	defer release()
	pid := child(t, "exit 3")
	awaitZombie(t, pid)
	if got := await(t, watch(t, r, pid), "exit of a child that had ended"); got.status != 3 {
		t.Errorf("status %d, want 3", got.status)
	}
}

func TestReaper_NoChild_WatchRefuses(t *testing.T) {
	r := NewReaper()
	defer r.Close()
	err := r.Watch(1, func(int, time.Time) { t.Error("called for process 1") })
	if !errors.Is(err, syscall.ECHILD) {
		t.Fatalf("Watch(1): %v, want ECHILD", err)
	}
}

func TestReaper_WatchTwice_Refuses(t *testing.T) {
	r := NewReaper()
	defer r.Close()
	pid := child(t, "exec sleep 60")
	c := watch(t, r, pid)
	if err := r.Watch(pid, func(int, time.Time) {}); err == nil {
		t.Error("second Watch of one pid succeeded")
	}
	if err := r.Signal(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	await(t, c, "the killed child")
}

// A signal to a pid that was reaped could hit a stranger.
func TestReaper_SignalAfterEnd_ESRCH(t *testing.T) {
	r := NewReaper()
	defer r.Close()
	pid := child(t, "exit 0")
	await(t, watch(t, r, pid), "exit")
	if err := r.Signal(pid, syscall.SIGTERM); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("Signal after the end: %v, want ESRCH", err)
	}
	if err := r.Signal(os.Getpid(), syscall.SIGTERM); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("Signal to a process that is not watched: %v, want ESRCH", err)
	}
}

// Commands and containers end at the same time all the time; neither may get
// the other's status, and no command may find its own taken.
func TestReaper_CommandsAmongContainers_EachHasItsStatus(t *testing.T) {
	r := NewReaper()
	defer r.Close()
	var wg sync.WaitGroup
	for i := range 60 {
		want := i % 200
		wg.Add(2)
		go func() {
			defer wg.Done()
			cmd := exec.Command("/bin/sh", "-c", fmt.Sprintf("exit %d", want))
			if err := r.Start(cmd); err != nil {
				t.Error(err)
				return
			}
			err := r.Wait(cmd)
			if got := cmd.ProcessState.ExitCode(); got != want {
				t.Errorf("command: status %d (%v), want %d", got, err, want)
			}
		}()
		go func() {
			defer wg.Done()
			release := r.Hold()
			defer release()
			pid := child(t, fmt.Sprintf("exit %d", want))
			if got := await(t, watch(t, r, pid), "container"); got.status != want {
				t.Errorf("container: status %d, want %d", got.status, want)
			}
		}()
	}
	wg.Wait()
}

// A library may start a command without asking the Reaper.
func TestReaper_ForeignCommand_KeepsItsStatus(t *testing.T) {
	r := NewReaper()
	defer r.Close()
	for range 20 {
		err := exec.Command("/bin/sh", "-c", "exit 5").Run()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 5 {
			t.Fatalf("foreign command: %v, want exit status 5", err)
		}
	}
}

// Orphans of a container become the shim's children; nobody else reaps them.
func TestReaper_Orphan_IsReapedUnlessHeld(t *testing.T) {
	if err := becomeSubreaper(); err != nil {
		t.Fatal(err)
	}
	r := NewReaper()
	defer r.Close()
	release := r.Hold()
	pid := orphan(t, "exit 0")
	awaitZombie(t, pid)
	// It must outlive its age while the Hold lasts: a Watch may come.
	hold := time.NewTimer(orphanAge + orphanAge/2)
	defer hold.Stop()
	<-hold.C
	if !hasEnded(pid) {
		t.Fatal("an orphan was reaped during a Hold")
	}
	release()
	awaitGone(t, pid)
}

// A container may make orphans all the time: they must not have to wait for each other.
func TestReaper_ManyOrphans_AgeTogether(t *testing.T) {
	if err := becomeSubreaper(); err != nil {
		t.Fatal(err)
	}
	r := NewReaper()
	defer r.Close()
	const n = 12
	release := r.Hold() // none may be reaped while the others are made
	var pids []int
	for range n {
		pids = append(pids, orphan(t, "exit 0"))
	}
	for _, pid := range pids {
		awaitZombie(t, pid)
	}
	release()
	ended := time.Now()
	for _, pid := range pids {
		awaitGone(t, pid)
	}
	// In turn they would take an orphanAge each.
	if took := time.Since(ended); took > n*orphanAge/2 {
		t.Errorf("%d orphans were reaped after %v", n, took)
	}
}

func TestReaper_OrphanWatched_ReportsStatus(t *testing.T) {
	if err := becomeSubreaper(); err != nil {
		t.Fatal(err)
	}
	r := NewReaper()
	defer r.Close()
	release := r.Hold()
	pid := orphan(t, "exit 9")
	awaitZombie(t, pid)
	c := watch(t, r, pid)
	release()
	if got := await(t, c, "orphan"); got.status != 9 {
		t.Errorf("status %d, want 9", got.status)
	}
}

// orphan returns the pid of a process whose parent has ended.
func orphan(t *testing.T, script string) int {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", fmt.Sprintf("(sleep 0.1; %s) >/dev/null 2>&1 & echo $!", script))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

func awaitZombie(t *testing.T, pid int) {
	t.Helper()
	eventually(t, fmt.Sprintf("process %d to end", pid), func() bool { return hasEnded(pid) })
}

func awaitGone(t *testing.T, pid int) {
	t.Helper()
	eventually(t, fmt.Sprintf("process %d to be reaped", pid), func() bool {
		_, err := peekChild(pid)
		return err != nil
	})
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	end := time.After(deadline)
	for !ok() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("timed out waiting for %s", what)
		}
	}
}

// What ended is looked at before it is gone, by all who want to, and then told.
func TestReaper_Inspect_SeesTheZombieFirst(t *testing.T) {
	r := NewReaper()
	defer r.Close()
	seen := make(chan bool, 2)
	for range 2 {
		r.Inspect(func(pid int) { seen <- hasEnded(pid) })
	}
	r.Inspect(func(int) { t.Error("called after it was stopped") })()
	release := r.Hold()
	cmd := exec.Command("/bin/sh", "-c", "exit 3")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan int, 1)
	if err := r.Watch(cmd.Process.Pid, func(status int, _ time.Time) { ended <- status }); err != nil {
		t.Fatal(err)
	}
	release()
	if got := <-ended; got != 3 {
		t.Errorf("status %d, want 3", got)
	}
	for range 2 {
		select {
		case zombie := <-seen:
			if !zombie {
				t.Error("the process was reaped before it was looked at")
			}
		default:
			t.Error("the process was not looked at")
		}
	}
}

// What nobody claims yet hides what is watched from who asks for any that has ended.
func TestReaper_WatchedBehindAnOrphan_ReportsStatus(t *testing.T) {
	r := NewReaper()
	defer r.Close()
	release := r.Hold()
	defer release()
	start := func(script string) int {
		t.Helper()
		cmd := exec.Command("/bin/sh", "-c", script)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd.Process.Pid
	}
	unclaimed := start("exit 1")
	deadline := time.Now().Add(10 * time.Second)
	for !hasEnded(unclaimed) {
		if time.Now().After(deadline) {
			t.Fatal("it has not ended")
		}
		time.Sleep(time.Millisecond)
	}
	const n = 5
	ended := make(chan int, n)
	for i := range n {
		if err := r.Watch(start(fmt.Sprintf("exit %d", 10+i)), func(status int, _ time.Time) { ended <- status }); err != nil {
			t.Fatal(err)
		}
	}
	sum := 0
	for range n {
		select {
		case status := <-ended:
			sum += status
		case <-time.After(10 * time.Second):
			t.Fatal("a watched process that has ended is not told")
		}
	}
	if want := 10 + 11 + 12 + 13 + 14; sum != want {
		t.Errorf("the statuses add up to %d, want %d", sum, want)
	}
}
