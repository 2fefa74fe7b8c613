package zfs

import (
	"context"
	"time"

	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/errdefs"
	"golang.org/x/sync/errgroup"
)

// flushAlways writes marks that have changed, until the snapshotter is closed.
func (s *Snapshotter) flushAlways() {
	ticker := time.NewTicker(s.config.FlushEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			s.flush(context.Background())
		case <-s.stop:
			return
		}
	}
}

// stale is a mark that does not say what the record says.
type stale struct {
	node   *node
	target string
	prop   string
	record record
	parts  int
}

// flush writes marks that have changed, all at the same time: they share a txg. What
// can't be written waits for the next time; only a lost database would show it.
func (s *Snapshotter) flush(ctx context.Context) {
	if !s.isAttached() {
		return
	}
	var group errgroup.Group
	group.SetLimit(maxCalls)
	for _, m := range s.staleMarks() {
		group.Go(func() error {
			s.flushOne(ctx, m)
			return nil
		})
	}
	_ = group.Wait() // no function returns an error
}

func (s *Snapshotter) staleMarks() []stale {
	s.mu.Lock()
	defer s.mu.Unlock()
	var marks []stale
	for _, n := range s.index.nodes {
		if n.flushed || n.removing || n.Volume == "" || n.Foreign || n.Unpack {
			continue
		}
		m := stale{node: n, target: s.full(n.Volume), prop: propActive, record: n.record, parts: n.parts}
		if n.Kind == snapshots.KindCommitted {
			m.target, m.prop = s.snapshotOf(&n.record), propLayer
		}
		n.flushed = true
		marks = append(marks, m)
	}
	return marks
}

func (s *Snapshotter) flushOne(ctx context.Context, m stale) {
	props, err := newMark(m.node.key, &m.record).props(m.prop, m.parts)
	if err == nil {
		err = s.engine.SetProps(ctx, m.target, props)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err == nil:
		m.node.parts = len(props)
	case errdefs.IsNotFound(err), errdefs.IsInvalidArgument(err):
		// It was removed meanwhile, or its labels are too long; again would be in vain.
		s.log.Debug("mark not written", "dataset", m.target, "error", err)
	default:
		m.node.flushed = false
		s.log.Debug("mark not written, later again", "dataset", m.target, "error", err)
	}
}
