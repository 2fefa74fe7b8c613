package testbed

import (
	"context"
	"errors"
	"fmt"
	"net"

	taskapi "github.com/containerd/containerd/api/runtime/task/v3"
	"github.com/containerd/ttrpc"
)

// Shim is a connection of our own to a shim's task service, past containerd: it
// can send what containerd never would.
type Shim struct {
	// Raw is the connection, for calls that no generated client makes.
	Raw *ttrpc.Client
	taskapi.TTRPCTaskService

	id   string
	conn net.Conn
}

// Shim connects to the shim of a container.
func (s *Space) Shim(id string) (*Shim, error) {
	address, err := s.ShimAddress(id)
	if err != nil {
		return nil, fmt.Errorf("shim of %s: %w", id, err)
	}
	conn, err := net.Dial("unix", address)
	if err != nil {
		return nil, fmt.Errorf("shim of %s: %w", id, err)
	}
	raw := ttrpc.NewClient(conn)
	return &Shim{Raw: raw, TTRPCTaskService: taskapi.NewTTRPCTaskClient(raw), id: id, conn: conn}, nil
}

// Close ends the connection.
func (s *Shim) Close() error {
	err := s.Raw.Close()
	if cerr := s.conn.Close(); cerr != nil && !errors.Is(cerr, net.ErrClosed) {
		err = errors.Join(err, cerr)
	}
	return err
}

// Pid asks the shim for its process id.
func (s *Shim) Pid(ctx context.Context) (int, error) {
	r, err := s.Connect(ctx, &taskapi.ConnectRequest{ID: s.id})
	if err != nil {
		return 0, err
	}
	return int(r.ShimPid), nil
}
