package shim

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	eventsapi "github.com/containerd/containerd/api/events"
	ttrpcevents "github.com/containerd/containerd/api/services/ttrpc/events/v1"
	"github.com/containerd/errdefs"
	"github.com/containerd/errdefs/pkg/errgrpc"
	"github.com/containerd/ttrpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
)

// daemon is containerd's end: a real ttrpc server that can be stopped and
// started again at the same address.
type daemon struct {
	t      *testing.T
	path   string
	server *ttrpc.Server

	mu     sync.Mutex
	got    []string
	refuse string // the id to refuse
}

func newDaemon(t *testing.T) *daemon {
	t.Helper()
	dir, err := os.MkdirTemp("", "js")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return &daemon{t: t, path: filepath.Join(dir, "s")}
}

func (d *daemon) start() {
	d.t.Helper()
	l, err := net.Listen("unix", d.path)
	if err != nil {
		d.t.Fatal(err)
	}
	if d.server, err = ttrpc.NewServer(); err != nil {
		d.t.Fatal(err)
	}
	ttrpcevents.RegisterTTRPCEventsService(d.server, d)
	s := d.server
	go s.Serve(context.Background(), l)
	d.t.Cleanup(func() { s.Close() })
}

// kill cuts every connection, as the end of the process would.
func (d *daemon) kill() { d.server.Close() }

func (d *daemon) Forward(_ context.Context, r *ttrpcevents.ForwardRequest) (*emptypb.Empty, error) {
	var e eventsapi.TaskExit
	if err := proto.Unmarshal(r.Envelope.Event.Value, &e); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if e.ContainerID == d.refuse {
		return nil, errgrpc.ToGRPC(fmt.Errorf("no: %w", errdefs.ErrInvalidArgument))
	}
	d.got = append(d.got, e.ContainerID)
	return &emptypb.Empty{}, nil
}

func (d *daemon) ids() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.got)
}

func publish(p *Publisher, from, to int) (want []string) {
	for i := from; i < to; i++ {
		id := fmt.Sprint(i)
		p.Publish("/tasks/exit", &eventsapi.TaskExit{ContainerID: id})
		want = append(want, id)
	}
	return want
}

func closeWithin(t *testing.T, p *Publisher, d time.Duration) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	return p.Close(ctx)
}

func TestPublisher_KeepsOrder(t *testing.T) {
	d := newDaemon(t)
	d.start()
	p := NewPublisher("ns", d.path)
	want := publish(p, 0, 200)
	if err := closeWithin(t, p, deadline); err != nil {
		t.Fatal(err)
	}
	if got := d.ids(); !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}

// While containerd restarts, containers end; their exits must arrive, in order.
func TestPublisher_DaemonRestarts_NothingLost(t *testing.T) {
	d := newDaemon(t)
	d.start()
	p := NewPublisher("ns", "unix://"+d.path)
	want := publish(p, 0, 20)
	eventually(t, "the first events", func() bool { return len(d.ids()) == 20 })
	d.kill()
	want = append(want, publish(p, 20, 60)...)
	os.Remove(d.path)
	d.start()
	want = append(want, publish(p, 60, 80)...)
	if err := closeWithin(t, p, deadline); err != nil {
		t.Fatal(err)
	}
	// One that was under way when the daemon died may come twice.
	got := slices.Compact(d.ids())
	if !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}

// An event that containerd will never take must not stop those behind it.
func TestPublisher_RefusedEvent_IsDropped(t *testing.T) {
	d := newDaemon(t)
	d.refuse = "1"
	d.start()
	p := NewPublisher("ns", d.path)
	publish(p, 0, 3)
	if err := closeWithin(t, p, deadline); err != nil {
		t.Fatal(err)
	}
	if got := d.ids(); !slices.Equal(got, []string{"0", "2"}) {
		t.Errorf("got %v, want 0 and 2", got)
	}
}

func TestPublisher_NoDaemonAtTheEnd_SaysWhatIsLost(t *testing.T) {
	p := NewPublisher("ns", newDaemon(t).path)
	publish(p, 0, 3)
	err := closeWithin(t, p, 100*time.Millisecond)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "3 events") {
		t.Errorf("error %v, want one that counts 3 events", err)
	}
}
