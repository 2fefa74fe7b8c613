package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/containerd/containerd/v2/pkg/oci"
)

// memory is what a process has of the machine's, in bytes.
type memory struct {
	rss  float64 // resident in all
	anon float64 // resident, its own: heap, stacks
	file float64 // resident, mapped from files, which other processes may share
	pss  float64 // resident, shared pages divided by the number who share them
}

const mebibyte = 1 << 20

// sample returns the memory in MiB, in the order of memoryMeasures.
func (m memory) sample() sample {
	return sample{m.rss / mebibyte, m.anon / mebibyte, m.file / mebibyte, m.pss / mebibyte}[:memoryParts]
}

// settled reads the memory of a container's shim after it was left alone for a
// while. containerd's shim returns memory to the system now and then; when
// that happens is luck, for either.
func (s *service) settled() (memory, error) {
	b := s.bench
	select {
	case <-time.After(b.config.settle):
	case <-b.ctx.Done():
		return memory{}, b.ctx.Err()
	}
	pid, err := shimOf(int(s.task.Pid()))
	if err != nil {
		return memory{}, fmt.Errorf("shim of container %s: %w", s.container.ID(), err)
	}
	return memoryOf(pid)
}

// idle measures the shim of one container that does nothing.
func (b *bench) idle(runtime string) (_ sample, retErr error) {
	s, err := b.start(runtime)
	if err != nil {
		return nil, err
	}
	defer func() { retErr = errors.Join(retErr, s.remove()) }()
	m, err := s.settled()
	return m.sample(), err
}

// podSize is the number of containers by which a pod grows in the measurement.
const podSize = 10

// growth measures what each further container of a pod adds to its shim's
// resident memory.
func (b *bench) growth(runtime string) (_ sample, retErr error) {
	group := oci.WithAnnotations(map[string]string{"io.containerd.runc.v2.group": b.id()})
	first, err := b.start(runtime, group)
	if err != nil {
		return nil, err
	}
	defer func() { retErr = errors.Join(retErr, first.remove()) }()
	before, err := first.settled()
	if err != nil {
		return nil, err
	}
	shim, err := shimOf(int(first.task.Pid()))
	if err != nil {
		return nil, err
	}
	for range podSize {
		s, err := b.start(runtime, group)
		if err != nil {
			return nil, err
		}
		defer func() { retErr = errors.Join(retErr, s.remove()) }()
		if other, err := shimOf(int(s.task.Pid())); err != nil || other != shim {
			return nil, errors.Join(err, fmt.Errorf("container %s of the pod has shim %d, the first has %d", s.container.ID(), other, shim))
		}
	}
	after, err := first.settled()
	return sample{(after.rss - before.rss) / podSize / mebibyte}, err
}
