package main

import (
	"errors"
	"time"

	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/pkg/cio"
	"github.com/containerd/containerd/v2/pkg/oci"
)

// service is a container that runs until it is removed.
type service struct {
	bench     *bench
	container containerd.Container
	task      containerd.Task
}

// start starts a container that does nothing.
func (b *bench) start(runtime string, opts ...oci.SpecOpts) (_ *service, retErr error) {
	c, err := b.container(runtime, opts, "hold")
	if err != nil {
		return nil, err
	}
	s := &service{bench: b, container: c}
	defer func() {
		if retErr != nil {
			retErr = errors.Join(retErr, s.remove())
		}
	}()
	if s.task, err = c.NewTask(b.ctx, cio.NullIO); err != nil {
		return nil, err
	}
	return s, s.task.Start(b.ctx)
}

// remove kills and deletes the container.
func (s *service) remove() error {
	if s.task != nil {
		if _, err := s.task.Delete(s.bench.ctx, containerd.WithProcessKill); err != nil {
			return err
		}
	}
	return s.container.Delete(s.bench.ctx, containerd.WithSnapshotCleanup)
}

// ctrExec times "ctr task exec CONTAINER true", from the start of ctr to its end.
func (s *service) ctrExec() (sample, error) {
	id := s.bench.id()
	began := time.Now()
	err := s.bench.ctr("task", "exec", "--fifo-dir", s.bench.fifos(), "--exec-id", id, s.container.ID(), "true")
	return milliseconds(time.Since(began)), err
}

// clientExec times an exec from Exec to Delete through the Go client.
func (s *service) clientExec() (sample, error) {
	b := s.bench
	spec, err := s.container.Spec(b.ctx)
	if err != nil {
		return nil, err
	}
	process := spec.Process
	process.Args = []string{"true"}
	id := b.id()
	began := time.Now()
	p, err := s.task.Exec(b.ctx, id, process, cio.NullIO)
	if err != nil {
		return nil, err
	}
	if err := b.play(p); err != nil {
		return nil, err
	}
	_, err = p.Delete(b.ctx)
	return milliseconds(time.Since(began)), err
}
