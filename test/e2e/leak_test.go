package e2e

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"sync"
	"testing"

	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/pkg/cio"
	"golang.org/x/sys/unix"

	"jailshim/test/daemon"
	"jailshim/test/e2e/testbed"
)

// goroutineLine begins each stack of a dump. Containerd's own shim writes the dump
// as one quoted message.
var goroutineLine = regexp.MustCompile(`(?:^|\n|\\n)goroutine \d+ \[`)

// goroutines counts a shim's goroutines, which it dumps into its log on SIGUSR1.
func goroutines(t *testing.T, s *testbed.Space, shim int) int {
	t.Helper()
	const end = "=== END goroutine stack dump ==="
	before := s.LogMark(t)
	if err := unix.Kill(shim, unix.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	return len(goroutineLine.FindAllString(before.Await(t, end), -1))
}

// numberOfLives is how many containers a test makes that is about many: usual, or
// what E2E_LIVES says for a machine that is slow or has the time.
func numberOfLives(t *testing.T, usual int) int {
	t.Helper()
	setting := os.Getenv("E2E_LIVES")
	if setting == "" {
		return usual
	}
	n, err := strconv.Atoi(setting)
	if err != nil || n < 20 {
		t.Fatalf("E2E_LIVES=%s: want a number, 20 or more", setting)
	}
	return n
}

// TestE2E_Leaks_ManyLives_SameDescriptorsGoroutinesMemory: the shim of a pod
// lives for months, with a health check every few seconds and containers that
// come and go; whatever it forgets to close or to let go adds up.
func TestE2E_Leaks_ManyLives_SameDescriptorsGoroutinesMemory(t *testing.T) {
	t.Parallel()
	total := numberOfLives(t, 200)
	// A daemon of its own: the dump is in the log of all.
	s := testbed.NewDaemon(t).NewSpace(t)
	key := groupKeys()[0]
	s.Run(t, testbed.ID("sandbox"), testbed.Annotate(key, "sandbox"))
	shim := s.ShimPid(t, "sandbox")
	// Lives of all kinds: with fifos, without, on a terminal; with an exec;
	// refused.
	newLife := func(i int) *testbed.Container {
		opts := []testbed.ProcessOption{testbed.ID(fmt.Sprintf("life%d", i)), testbed.Annotate(key, "sandbox"), testbed.Args("hold")}
		switch i % 4 {
		case 0:
			opts = append(opts, testbed.Terminal())
		case 1:
			opts = append(opts, testbed.IO(cio.NullIO))
		case 2:
			opts = append(opts, testbed.Args("/no/such/program"))
		}
		return s.New(t, opts...)
	}
	live := func(c *testbed.Container, refused bool) error {
		err := c.TryCreate()
		if refused {
			if err == nil {
				return fmt.Errorf("%s was not refused", c.ID())
			}
			return c.Delete(s.Ctx, containerd.WithSnapshotCleanup)
		}
		if err != nil {
			return fmt.Errorf("create %s: %w", c.ID(), err)
		}
		if err := c.Task.Start(s.Ctx); err != nil {
			return fmt.Errorf("start %s: %w", c.ID(), err)
		}
		p, err := c.TryExec("x", testbed.Args("true"))
		if err != nil {
			return fmt.Errorf("exec in %s: %w", c.ID(), err)
		}
		if err := p.Process.Start(s.Ctx); err != nil {
			return fmt.Errorf("start an exec in %s: %w", c.ID(), err)
		}
		<-p.Ended()
		if _, err := p.Delete(s.Ctx); err != nil {
			return fmt.Errorf("delete an exec in %s: %w", c.ID(), err)
		}
		if _, err := c.Task.Delete(s.Ctx, containerd.WithProcessKill); err != nil {
			return fmt.Errorf("delete %s: %w", c.ID(), err)
		}
		return c.Delete(s.Ctx, containerd.WithSnapshotCleanup)
	}
	lives := func(from, to int) {
		t.Helper()
		next := make(chan func() error)
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				for life := range next {
					if err := life(); err != nil {
						t.Error(err)
					}
				}
			})
		}
		for i := from; i < to; i++ {
			c := newLife(i)
			next <- func() error { return live(c, i%4 == 2) }
		}
		close(next)
		wg.Wait()
	}
	count := func() (descriptors, routines int) {
		t.Helper()
		n, err := daemon.Descriptors(shim)
		if err != nil {
			t.Fatal(err)
		}
		return n, goroutines(t, s, shim)
	}
	resident := func() int64 {
		t.Helper()
		n, err := daemon.Resident(shim)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	lives(0, 4) // one of each kind
	descriptors, routines := count()
	// The memory of the first lives is used again by the later ones; it grows
	// until then.
	lives(4, total/2)
	memory := resident()
	lives(total/2, total)
	if t.Failed() {
		return
	}
	// Something may still be on its way out: it has time for that, but not more
	// than that.
	testbed.Until(t, "the descriptors, goroutines and memory to be as few as before", func() error {
		d, r := count()
		if d > descriptors || r > routines {
			return fmt.Errorf("after 4 lives there were %d descriptors and %d goroutines, after %d there are %d and %d", descriptors, routines, total, d, r)
		}
		if now := resident(); now > memory+growth {
			return fmt.Errorf("after %d lives the shim had %d bytes resident, after %d it has %d", total/2, memory, total, now)
		}
		return nil
	})
	t.Logf("%d bytes resident after %d lives, %d after %d", memory, total/2, resident(), total)
}

// growth is how many bytes a shim may have resident more than before, by the
// chances of garbage collection.
const growth = 4 * mebibyte
