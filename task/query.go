package task

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	runcoptions "github.com/containerd/containerd/api/types/runc/options"
	tasktypes "github.com/containerd/containerd/api/types/task"
	"github.com/containerd/errdefs"
	"github.com/containerd/typeurl/v2"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"google.golang.org/protobuf/types/known/anypb"
)

// pids lists the processes of the container; those that are execs carry their
// id. The list is never empty: a daemon that restarts takes an empty one for a
// container that never was, and removes it with its exit status; up to 2.2 it
// takes an error for the same. So a container that has ended still names its
// init.
func (c *container) pids(ctx context.Context) ([]*tasktypes.ProcessInfo, error) {
	var (
		pids []int
		err  error
	)
	if c.requireAlive("pids") == nil {
		pids, err = c.driver.Pids(ctx)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.requireAliveLocked("pids") != nil {
		pids, err = nil, nil // it may have ended meanwhile
	}
	if err != nil {
		return nil, err
	}
	if !slices.Contains(pids, c.init.pid) {
		pids = append(pids, c.init.pid)
	}
	execs := make(map[int]string, len(c.execs))
	for id, p := range c.execs {
		if p.pid != 0 && p.state != stateStopped {
			execs[p.pid] = id
		}
	}
	out := make([]*tasktypes.ProcessInfo, 0, len(pids))
	for _, pid := range pids {
		info := &tasktypes.ProcessInfo{Pid: uint32(pid)}
		if id, ok := execs[pid]; ok {
			if info.Info, err = toAny(&runcoptions.ProcessDetails{ExecID: id}); err != nil {
				return nil, err
			}
		}
		out = append(out, info)
	}
	return out, nil
}

// update changes the limits to the resources in a: JSON of the OCI structure.
func (c *container) update(ctx context.Context, a *anypb.Any) error {
	if a == nil {
		return fmt.Errorf("resources are missing: %w", errdefs.ErrInvalidArgument)
	}
	if !strings.HasSuffix(a.TypeUrl, "opencontainers/runtime-spec/1/LinuxResources") {
		return fmt.Errorf("resources have type %q: %w", a.TypeUrl, errdefs.ErrInvalidArgument)
	}
	var r specs.LinuxResources
	if err := json.Unmarshal(a.Value, &r); err != nil {
		return fmt.Errorf("resources: %w: %w", errdefs.ErrInvalidArgument, err)
	}
	if err := c.requireAlive("update"); err != nil {
		return err
	}
	return c.driver.Update(ctx, &r)
}

// resize sets the size of the process's terminal, now or when it gets one.
func (p *process) resize(size winsize) error {
	p.c.mu.Lock()
	p.size = &size
	p.c.mu.Unlock()
	return p.applySize()
}

// closeStdin lets the process's input end, now or when it has one.
func (p *process) closeStdin() error {
	p.c.mu.Lock()
	io := p.io
	p.stdinEnds = true
	p.c.mu.Unlock()
	if io == nil {
		return nil
	}
	return io.CloseStdin()
}

// toAny encodes a message under the URL that containerd's clients know.
func toAny(v any) (*anypb.Any, error) {
	a, err := typeurl.MarshalAny(v)
	if err != nil {
		return nil, err
	}
	return &anypb.Any{TypeUrl: a.GetTypeUrl(), Value: a.GetValue()}, nil
}
