package zfs

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"

	"jailshim/snapshotter-zfs/zfstest"
)

// A victim is a copy of the test program that runs the script on a real ZFS, and kills
// itself at one of its points. It tells what was acknowledged before.

// victimArg is the first argument of a victim.
const victimArg = "-zfs.victim"

// victimOrder tells a victim what to do.
type victimOrder struct {
	Pool, Root, State string
	Point             int
}

// said is what a victim tells, a line each.
type said struct {
	Committed string            `json:",omitempty"`
	Files     map[string]string `json:",omitempty"`
	Removing  string            `json:",omitempty"`
	Done      bool              `json:",omitempty"`
	Err       string            `json:",omitempty"`
}

// victimTB is the testing.TB of a victim: it has none of a test's.
type victimTB struct{ testing.TB }

func (victimTB) Helper()                  {}
func (victimTB) Context() context.Context { return context.Background() }
func (victimTB) Errorf(format string, args ...any) {
	tell(said{Err: fmt.Sprintf(format, args...)})
}
func (t victimTB) Fatalf(format string, args ...any) {
	t.Errorf(format, args...)
	os.Exit(1)
}
func (t victimTB) Fatal(args ...any) { t.Fatalf("%s", fmt.Sprint(args...)) }

func tell(s said) {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(b))
}

func victimMain() int {
	var o victimOrder
	if err := json.Unmarshal([]byte(os.Args[2]), &o); err != nil {
		tell(said{Err: err.Error()})
		return 1
	}
	w := &realWorld{pool: o.Pool, root: o.Root, state: o.State}
	d := &death{point: o.Point, kill: func() {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}}
	sc := newScript()
	sc.tell = tell
	s, err := New(context.Background(), mortalConfig(w, d))
	if err == nil {
		err = errors.Join(sc.run(context.Background(), victimTB{}, w, s), s.Close())
	}
	if err != nil {
		tell(said{Err: err.Error()})
		return 1
	}
	tell(said{Done: true})
	return 0
}

// runVictim runs a victim, and returns what it has told in a script.
func runVictim(t *testing.T, w *realWorld, point int) *script {
	t.Helper()
	order, err := json.Marshal(victimOrder{Pool: w.pool, Root: w.root, State: w.state, Point: point})
	must(t, err)
	self, err := os.Executable()
	must(t, err)
	cmd := exec.Command(self, victimArg, string(order))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	sc := newScript()
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		var s said
		must(t, json.Unmarshal(lines.Bytes(), &s))
		if s.Err != "" {
			t.Errorf("dying at %d: %s", point, s.Err)
		}
		sc.hear(s)
	}
	return sc
}

// number reads a number from the environment.
func number(tb testing.TB, name string, otherwise int) int {
	tb.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	must(tb, err)
	return n
}

// strideVar tells how many points of the script to leave out after each; 1 is none.
const strideVar = "ZFS_TEST_STRIDE"

// TestCrash_OfTheProcess kills a process at its points; ZFS lives on.
func TestCrash_OfTheProcess(t *testing.T) {
	zfstest.Require(t)
	stride := number(t, strideVar, 9)
	for point, done := 0, false; !done && !t.Failed(); point += stride {
		// Its pool goes with it.
		t.Run(strconv.Itoa(point), func(t *testing.T) {
			w := newRealWorld(t)
			sc := runVictim(t, w, point)
			sc.verify(t, w)
			done = sc.done
		})
	}
}

// roundsVar tells how often to kill ZFS.
const roundsVar = "ZFS_TEST_ROUNDS"

// TestCrash_OfZFS kills ZFS itself, with all that is not on disk, while a process works.
func TestCrash_OfZFS(t *testing.T) {
	zfstest.Require(t)
	if !zfstest.CanKill() {
		t.Log("the kernel's ZFS can't be killed; Linux has this test")
		return
	}
	rnd := newRand(t)
	for round := range number(t, roundsVar, 5) {
		// The longest script takes about two seconds; some rounds are to see its end.
		after := time.Duration(rnd.IntN(2500)) * time.Millisecond
		t.Run(fmt.Sprintf("%d/%v", round, after), func(t *testing.T) { killZFS(t, after) })
		if t.Failed() {
			break
		}
	}
}

// killZFS kills ZFS while a script runs, and looks at what is there afterwards.
func killZFS(t *testing.T, after time.Duration) {
	t.Helper()
	w := newRealWorld(t)
	sc := newScript()
	s, err := New(t.Context(), w.config())
	must(t, err)
	ended := make(chan error, 1)
	// goroutine: this round's; ends with the script, which fails when ZFS is gone;
	// waited for below.
	go func() { ended <- sc.run(t.Context(), dyingTB{t}, w, s) }()
	select {
	case <-time.After(after):
	case err := <-ended:
		must(t, err)
		ended <- nil
	}
	zfstest.Kill(t)
	<-ended
	_ = s.Close() // it can't flush
	zfstest.Restart(t)
	sc.verify(t, w)
}

// dyingTB is that of a script whose ZFS may be gone: it can't write then.
type dyingTB struct{ testing.TB }

func (dyingTB) Errorf(string, ...any)   {}
func (t dyingTB) Fatal(...any)          { panic(errZFSGone) }
func (t dyingTB) Fatalf(string, ...any) { panic(errZFSGone) }

var errZFSGone = errors.New("ZFS is gone")
