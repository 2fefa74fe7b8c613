package main

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/pkg/cio"
	"golang.org/x/sys/unix"
)

// ctr runs a ctr command, which must succeed.
func (b *bench) ctr(args ...string) error {
	ctr, err := b.daemon.Program("ctr")
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(b.ctx, ctr, args...)
	cmd.Env = append(b.daemon.Environ(), "CONTAINERD_SNAPSHOTTER="+b.snapshotter)
	cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true} // ^C is for the bench
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("ctr %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

// fifos is the folder for the streams of containers that ctr runs.
func (b *bench) fifos() string { return filepath.Join(b.daemon.Dir, "fifo") }

// ctrRun times "ctr run --rm IMAGE true", from the start of ctr to its end.
func (b *bench) ctrRun(runtime string) (sample, error) {
	return b.ctrRuns(runtime, 1)
}

// ctrParallel times many of them at once.
func (b *bench) ctrParallel(runtime string) (sample, error) {
	return b.ctrRuns(runtime, b.config.parallel)
}

func (b *bench) ctrRuns(runtime string, n int) (sample, error) {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = b.id()
	}
	if err := b.quiet(); err != nil {
		return nil, err
	}
	began := time.Now()
	err := atOnce(n, func(i int) error {
		args := []string{"run", "--rm", "--fifo-dir", b.fifos(), "--runtime", runtime}
		for name, value := range annotations {
			args = append(args, "--annotation", name+"="+value)
		}
		return b.ctr(append(args, imageName, ids[i], "true")...)
	})
	return milliseconds(time.Since(began)), err
}

// clientRun times a task from Create to Delete through the Go client: what of a
// "ctr run" is the shim's and containerd's work for it.
func (b *bench) clientRun(runtime string) (sample, error) {
	return b.clientRuns(runtime, 1)
}

// clientParallel times many of them at once.
func (b *bench) clientParallel(runtime string) (sample, error) {
	return b.clientRuns(runtime, b.config.parallel)
}

func (b *bench) clientRuns(runtime string, n int) (_ sample, retErr error) {
	containers := make([]containerd.Container, n)
	for i := range containers {
		c, err := b.container(runtime, nil, "true")
		if err != nil {
			return nil, err
		}
		defer func() {
			retErr = errors.Join(retErr, c.Delete(b.ctx, containerd.WithSnapshotCleanup))
		}()
		containers[i] = c
	}
	if err := b.quiet(); err != nil {
		return nil, err
	}
	began := time.Now()
	err := atOnce(n, func(i int) error { return b.life(containers[i]) })
	return milliseconds(time.Since(began)), err
}

// life is a task's, from Create to Delete.
func (b *bench) life(c containerd.Container) error {
	task, err := c.NewTask(b.ctx, cio.NullIO)
	if err != nil {
		return err
	}
	if err := b.play(task); err != nil {
		return err
	}
	_, err = task.Delete(b.ctx)
	return err
}

// play starts a process and waits until it has ended, with status 0.
func (b *bench) play(p containerd.Process) error {
	exit, err := p.Wait(b.ctx)
	if err != nil {
		return err
	}
	if err := p.Start(b.ctx); err != nil {
		return err
	}
	code, _, err := (<-exit).Result()
	if err == nil && code != 0 {
		err = fmt.Errorf("%s: exit status %d", p.ID(), code)
	}
	return err
}

// atOnce calls f n times at once, with 0 to n-1.
func atOnce(n int, f func(int) error) error {
	errs := make(chan error, n)
	for i := range n {
		// goroutine: of this function; ends with f; waited for below.
		go func() { errs <- f(i) }()
	}
	var all []error
	for range n {
		all = append(all, <-errs)
	}
	return errors.Join(all...)
}
