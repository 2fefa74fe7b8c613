package e2e

import (
	"fmt"
	"sync"
	"testing"

	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/pkg/cio"

	"jailshim/test/e2e/testbed"
)

// TestE2E_Order_ProcessEndsAtOnce_StartBeforeExit: clients, CRI first of all, drop
// an exit of something that they don't know to have started, and then wait for
// ever. A thousand lives, containers and execs at the same time, as short as
// they can be: each must have its events in order, and one exit.
func TestE2E_Order_ProcessEndsAtOnce_StartBeforeExit(t *testing.T) {
	const hosts = 4 // containers that the execs run in
	containers := numberOfLives(t, 200)
	execs := 4 * containers
	s := space(t)
	work := make(chan func() error)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for f := range work {
				if err := f(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	var running []*testbed.Container
	for range hosts {
		running = append(running, s.Run(t))
	}
	life := func(p containerd.Process) error {
		exit, err := p.Wait(s.Ctx)
		if err != nil {
			return err
		}
		if err := p.Start(s.Ctx); err != nil {
			return fmt.Errorf("start %s: %w", p.ID(), err)
		}
		if p.Pid() == 0 {
			return fmt.Errorf("%s has pid 0 after its start", p.ID())
		}
		if e := <-exit; e.Error() != nil || e.ExitCode() != 0 {
			return fmt.Errorf("%s: exit status %d: %w", p.ID(), e.ExitCode(), e.Error())
		}
		if _, err := p.Delete(s.Ctx); err != nil {
			return fmt.Errorf("delete %s: %w", p.ID(), err)
		}
		return nil
	}
	for i := range containers + execs {
		if i%5 == 0 {
			c := s.New(t, testbed.ID(fmt.Sprintf("short%d", i)), testbed.Args("true"), testbed.IO(cio.NullIO))
			work <- func() error {
				if err := c.TryCreate(); err != nil {
					return fmt.Errorf("create %s: %w", c.ID(), err)
				}
				if err := life(c.Task); err != nil {
					return err
				}
				return c.Delete(s.Ctx, containerd.WithSnapshotCleanup)
			}
			continue
		}
		c := running[i%hosts]
		work <- func() error {
			p, err := c.TryExec(fmt.Sprintf("x%d", i), testbed.IO(cio.NullIO))
			if err != nil {
				return fmt.Errorf("exec in %s: %w", c.ID(), err)
			}
			return life(p.Process)
		}
	}
	close(work)
	wg.Wait()
	if testbed.Runtime == testbed.OurRuntime { // containerd's shim ends before it has sent them all
		testbed.Until(t, "the exit events of all", func() error {
			exits := 0
			for _, e := range s.Events.All() {
				if e.Topic == testbed.TopicExit {
					exits++
				}
			}
			if exits != containers+execs {
				return fmt.Errorf("there are %d of %d", exits, containers+execs)
			}
			return nil
		})
	}
	// The order is checked for every test when it ends.
}
