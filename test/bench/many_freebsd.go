package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/containerd/containerd/api/runtime/task/v3"
)

const (
	early  = 5 // the early jail, to whose start a late one is compared
	around = 9 // starts that are measured around it, and up to the last one
)

// many starts jails that stay alive, all in one shim, and compares the last
// starts with the ones around the fifth.
func (j *jails) many(r *report, n int) (retErr error) {
	name := fmt.Sprintf("task service: start of jail %d", n)
	if n == 0 || !strings.Contains(name, j.bench.config.only) {
		return nil
	}
	if n < 2*around {
		return fmt.Errorf("-many %d: at least %d are needed to see anything", n, 2*around)
	}
	fmt.Fprintf(j.bench.out, "%s …\n", name)
	var alive []string
	defer func() {
		for _, id := range alive {
			retErr = errors.Join(retErr, j.kill(j.bench.ctx, id))
		}
	}()
	m := &measure{Name: name, Unit: "ms", Bound: manyMax}
	for i := 1 - warmUp; i <= n; i++ {
		id, bundle, err := j.bundle("hold")
		if err != nil {
			return err
		}
		began := time.Now()
		if err := j.create(j.bench.ctx, id, bundle); err != nil {
			return fmt.Errorf("jail %d: %w", i, err)
		}
		alive = append(alive, id)
		if _, err := j.tasks.Start(j.bench.ctx, &task.StartRequest{ID: id}); err != nil {
			return fmt.Errorf("jail %d: %w", i, err)
		}
		took := milliseconds(time.Since(began))[0]
		switch {
		case i > n-around:
			m.add(true, took)
		case i > early-around/2-1 && i <= early+around/2:
			m.add(false, took)
		}
	}
	r.add(fmt.Sprintf("the start of jail %d", early), m)
	return nil
}

// kill ends a container that runs, and removes it.
func (j *jails) kill(ctx context.Context, id string) error {
	if _, err := j.tasks.Kill(ctx, &task.KillRequest{ID: id, Signal: uint32(syscall.SIGKILL), All: true}); err != nil {
		return err
	}
	if _, err := j.tasks.Wait(ctx, &task.WaitRequest{ID: id}); err != nil {
		return err
	}
	if _, err := j.tasks.Delete(ctx, &task.DeleteRequest{ID: id}); err != nil {
		return err
	}
	return os.RemoveAll(j.bundleOf(id))
}
