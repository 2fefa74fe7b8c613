package task

import (
	"context"
	"fmt"
	"math"
	"os"
	"syscall"

	taskapi "github.com/containerd/containerd/api/runtime/task/v2"
	"github.com/containerd/errdefs"
	"github.com/containerd/errdefs/pkg/errgrpc"
	"github.com/containerd/ttrpc"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// serviceNames are the names under which the one service answers. The messages
// of v2 and v3 are the same on the wire; a daemon asks for v3, or for v2 after a
// downgrade.
var serviceNames = []string{"containerd.task.v2.Task", "containerd.task.v3.Task"}

// maxSignal bounds signal numbers: 64 on Linux, 127 on FreeBSD (_SIG_MAXSIG is
// 128, sys/_sigset.h).
const maxSignal = 127

// Register adds the Task service to a server.
func (s *Service) Register(server *ttrpc.Server) {
	methods := map[string]ttrpc.Method{
		"State":      method(s, "state", s.rpcState),
		"Create":     method(s, "create", s.rpcCreate),
		"Start":      method(s, "start", s.rpcStart),
		"Delete":     method(s, "delete", s.rpcDelete),
		"Pids":       method(s, "pids", s.rpcPids),
		"Pause":      method(s, "pause", s.rpcPause),
		"Resume":     method(s, "resume", s.rpcResume),
		"Checkpoint": method(s, "checkpoint", s.rpcCheckpoint),
		"Kill":       method(s, "kill", s.rpcKill),
		"Exec":       method(s, "exec", s.rpcExec),
		"ResizePty":  method(s, "resize", s.rpcResizePty),
		"CloseIO":    method(s, "close-io", s.rpcCloseIO),
		"Update":     method(s, "update", s.rpcUpdate),
		"Wait":       method(s, "wait", s.rpcWait),
		"Stats":      method(s, "stats", s.rpcStats),
		"Connect":    method(s, "connect", s.rpcConnect),
		"Shutdown":   method(s, "shutdown", s.rpcShutdown),
	}
	for _, name := range serviceNames {
		server.RegisterService(name, &ttrpc.ServiceDesc{Methods: methods})
	}
}

// request is what all requests have.
type request interface{ GetID() string }

// method is the boundary of every call: it decodes, says what is called, and
// turns the error into one that keeps its class on the wire.
func method[Req any, P interface {
	*Req
	request
}, Resp any](s *Service, op string, fn func(context.Context, P) (Resp, error)) ttrpc.Method {
	return func(ctx context.Context, unmarshal func(any) error) (any, error) {
		r := P(new(Req))
		if err := unmarshal(r); err != nil {
			return nil, errgrpc.ToGRPC(fmt.Errorf("%s: request: %w: %w", op, errdefs.ErrInvalidArgument, err))
		}
		log := s.Log.With("op", op, "container", r.GetID())
		if e, ok := any(r).(interface{ GetExecID() string }); ok && e.GetExecID() != "" {
			log = log.With("exec", e.GetExecID())
		}
		log.Debug("call")
		resp, err := fn(ctx, r)
		if err != nil {
			log.Debug("call failed", "error", err)
			return nil, errgrpc.ToGRPC(fmt.Errorf("%s container %q (namespace %q): %w", op, r.GetID(), s.Namespace, err))
		}
		return resp, nil
	}
}

func (s *Service) rpcCreate(ctx context.Context, r *taskapi.CreateTaskRequest) (*taskapi.CreateTaskResponse, error) {
	pid, err := s.create(ctx, r)
	if err != nil {
		return nil, err
	}
	return &taskapi.CreateTaskResponse{Pid: uint32(pid)}, nil
}

func (s *Service) rpcStart(ctx context.Context, r *taskapi.StartRequest) (*taskapi.StartResponse, error) {
	c, p, err := s.find(r.ID, r.ExecID)
	if err != nil {
		return nil, err
	}
	pid, err := c.start(ctx, p)
	if err != nil {
		return nil, err
	}
	return &taskapi.StartResponse{Pid: uint32(pid)}, nil
}

func (s *Service) rpcExec(_ context.Context, r *taskapi.ExecProcessRequest) (*emptypb.Empty, error) {
	if err := validID("exec id", r.ExecID); err != nil {
		return nil, err
	}
	c, err := s.container(r.ID)
	if err != nil {
		return nil, err
	}
	return &emptypb.Empty{}, c.exec(r)
}

func (s *Service) rpcDelete(ctx context.Context, r *taskapi.DeleteRequest) (*taskapi.DeleteResponse, error) {
	c, p, err := s.find(r.ID, r.ExecID)
	if err != nil {
		return nil, err
	}
	var (
		x   exit
		pid int
	)
	if p.isInit() {
		x, pid, err = c.delete(ctx)
	} else {
		x, pid, err = c.deleteExec(ctx, p)
	}
	if err != nil {
		return nil, err
	}
	if p.isInit() {
		s.endIfWanted()
	}
	return &taskapi.DeleteResponse{Pid: uint32(pid), ExitStatus: uint32(x.Status), ExitedAt: timestamp(x)}, nil
}

func (s *Service) rpcState(_ context.Context, r *taskapi.StateRequest) (*taskapi.StateResponse, error) {
	c, p, err := s.find(r.ID, r.ExecID)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return &taskapi.StateResponse{
		ID:         p.name(),
		ExecID:     p.execID,
		Bundle:     c.bundle,
		Pid:        uint32(p.pid),
		Status:     p.state.status(c.paused),
		Stdin:      p.config.Stdin,
		Stdout:     p.config.Stdout,
		Stderr:     p.config.Stderr,
		Terminal:   p.config.Terminal,
		ExitStatus: uint32(p.exit.Status),
		ExitedAt:   timestamp(p.exit),
	}, nil
}

func (s *Service) rpcWait(ctx context.Context, r *taskapi.WaitRequest) (*taskapi.WaitResponse, error) {
	c, p, err := s.find(r.ID, r.ExecID)
	if err != nil {
		return nil, err
	}
	select {
	case <-p.done:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return &taskapi.WaitResponse{ExitStatus: uint32(p.exit.Status), ExitedAt: timestamp(p.exit)}, nil
}

// rpcKill tells a container that is being created, which a cleanup must leave to
// this process, from one that it does not know: Unavailable.
func (s *Service) rpcKill(ctx context.Context, r *taskapi.KillRequest) (*emptypb.Empty, error) {
	c, p, err := s.find(r.ID, r.ExecID)
	if errdefs.IsNotFound(err) && s.beingCreated(r.ID) {
		return nil, fmt.Errorf("container is being created: %w", errdefs.ErrUnavailable)
	}
	if err != nil {
		return nil, err
	}
	if r.Signal == 0 || r.Signal > maxSignal {
		return nil, fmt.Errorf("signal %d: not in 1 to %d: %w", r.Signal, maxSignal, errdefs.ErrInvalidArgument)
	}
	return &emptypb.Empty{}, c.kill(ctx, p, syscall.Signal(r.Signal), r.All)
}

func (s *Service) rpcPids(ctx context.Context, r *taskapi.PidsRequest) (*taskapi.PidsResponse, error) {
	c, err := s.container(r.ID)
	if err != nil {
		return nil, err
	}
	infos, err := c.pids(ctx)
	if err != nil {
		return nil, err
	}
	return &taskapi.PidsResponse{Processes: infos}, nil
}

func (s *Service) rpcPause(ctx context.Context, r *taskapi.PauseRequest) (*emptypb.Empty, error) {
	c, err := s.container(r.ID)
	if err != nil {
		return nil, err
	}
	return &emptypb.Empty{}, c.pause(ctx)
}

func (s *Service) rpcResume(ctx context.Context, r *taskapi.ResumeRequest) (*emptypb.Empty, error) {
	c, err := s.container(r.ID)
	if err != nil {
		return nil, err
	}
	return &emptypb.Empty{}, c.resume(ctx)
}

func (s *Service) rpcCheckpoint(_ context.Context, r *taskapi.CheckpointTaskRequest) (*emptypb.Empty, error) {
	if _, err := s.container(r.ID); err != nil {
		return nil, err
	}
	return nil, errdefs.ErrNotImplemented
}

func (s *Service) rpcResizePty(_ context.Context, r *taskapi.ResizePtyRequest) (*emptypb.Empty, error) {
	_, p, err := s.find(r.ID, r.ExecID)
	if err != nil {
		return nil, err
	}
	if r.Width > math.MaxUint16 || r.Height > math.MaxUint16 {
		return nil, fmt.Errorf("terminal size %dx%d: at most %d each way: %w", r.Width, r.Height, math.MaxUint16, errdefs.ErrInvalidArgument)
	}
	return &emptypb.Empty{}, p.resize(winsize{uint16(r.Width), uint16(r.Height)})
}

func (s *Service) rpcCloseIO(_ context.Context, r *taskapi.CloseIORequest) (*emptypb.Empty, error) {
	_, p, err := s.find(r.ID, r.ExecID)
	if err != nil {
		return nil, err
	}
	if !r.Stdin {
		return &emptypb.Empty{}, nil
	}
	return &emptypb.Empty{}, p.closeStdin()
}

func (s *Service) rpcUpdate(ctx context.Context, r *taskapi.UpdateTaskRequest) (*emptypb.Empty, error) {
	c, err := s.container(r.ID)
	if err != nil {
		return nil, err
	}
	return &emptypb.Empty{}, c.update(ctx, r.Resources)
}

func (s *Service) rpcStats(ctx context.Context, r *taskapi.StatsRequest) (*taskapi.StatsResponse, error) {
	c, err := s.container(r.ID)
	if err != nil {
		return nil, err
	}
	stats, err := c.stats(ctx)
	if err != nil {
		return nil, err
	}
	return &taskapi.StatsResponse{Stats: stats}, nil
}

// rpcConnect never fails: containerd asks it to find out whether the shim lives.
func (s *Service) rpcConnect(_ context.Context, r *taskapi.ConnectRequest) (*taskapi.ConnectResponse, error) {
	resp := &taskapi.ConnectResponse{ShimPid: uint32(os.Getpid()), Version: s.Version}
	if c, err := s.container(r.ID); err == nil {
		c.mu.Lock()
		resp.TaskPid = uint32(c.init.pid)
		c.mu.Unlock()
	}
	return resp, nil
}

// rpcShutdown succeeds, and does nothing, while there are containers; see shutdown.
func (s *Service) rpcShutdown(context.Context, *taskapi.ShutdownRequest) (*emptypb.Empty, error) {
	s.shutdown()
	return &emptypb.Empty{}, nil
}

// timestamp is nil for a process that has not ended.
func timestamp(x exit) *timestamppb.Timestamp {
	if x.At.IsZero() {
		return nil
	}
	return timestamppb.New(x.At)
}
