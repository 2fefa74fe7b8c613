package shim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	eventsapi "github.com/containerd/containerd/api/services/ttrpc/events/v1"
	"github.com/containerd/containerd/api/types"
	"github.com/containerd/ttrpc"
	"github.com/containerd/typeurl/v2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

const (
	// forwardTimeout bounds one attempt to hand an event over.
	forwardTimeout = 5 * time.Second
	// retryMin and retryMax bound the wait before the next attempt, which
	// doubles with each failure.
	retryMin = 20 * time.Millisecond
	retryMax = time.Second
)

// Publisher hands events to containerd one after the other, in the order of
// Publish. An event that can't be delivered stays at the head until it can be:
// containerd may be restarting. An event that containerd refuses is dropped,
// and the refusal logged.
//
// Publish never blocks, and is safe for concurrent use.
type Publisher struct {
	namespace string
	dial      func(context.Context) (net.Conn, error)
	wake      chan struct{} // has one place; told of a new event or of the end
	ended     chan struct{}
	stop      context.CancelFunc

	mu     sync.Mutex // guards the fields below
	queue  []*types.Envelope
	closed bool
}

// NewPublisher returns a Publisher for the containerd whose ttrpc service
// listens on the UNIX socket address.
func NewPublisher(namespace, address string) *Publisher {
	path := strings.TrimPrefix(address, "unix://")
	return newPublisher(namespace, func(ctx context.Context) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	})
}

func newPublisher(namespace string, dial func(context.Context) (net.Conn, error)) *Publisher {
	ctx, cancel := context.WithCancel(context.Background())
	p := &Publisher{
		namespace: namespace,
		dial:      dial,
		wake:      make(chan struct{}, 1),
		ended:     make(chan struct{}),
		stop:      cancel,
	}
	// goroutine: the Publisher; ends when Close has drained it or given up;
	// waited for by Close.
	go p.run(ctx)
	return p
}

// Publish queues an event under a topic. The event must be one that typeurl
// knows: a protobuf message of containerd's API. An event that can't be encoded
// is a programming error; it is logged and dropped.
func (p *Publisher) Publish(topic string, event any) {
	encoded, err := typeurl.MarshalAny(event)
	if err != nil {
		slog.Error("event can't be encoded", KeyTopic, topic, KeyError, err)
		return
	}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		slog.Error("event after the end of the server", KeyTopic, topic)
		return
	}
	p.queue = append(p.queue, &types.Envelope{
		Timestamp: timestamppb.Now(),
		Namespace: p.namespace,
		Topic:     topic,
		Event:     &anypb.Any{TypeUrl: encoded.GetTypeUrl(), Value: encoded.GetValue()},
	})
	p.mu.Unlock()
	p.poke()
}

// Close delivers what is queued, as long as ctx lasts, and ends the Publisher.
// Events that are left then are lost, and the error says how many.
func (p *Publisher) Close(ctx context.Context) error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.poke()
	select {
	case <-p.ended:
	case <-ctx.Done():
		p.stop()
		<-p.ended
	}
	p.stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.queue); n > 0 {
		return fmt.Errorf("%d events not delivered to containerd: %w", n, ctx.Err())
	}
	return nil
}

func (p *Publisher) poke() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// head returns the oldest event, or nil; and whether the end has come.
func (p *Publisher) head() (event *types.Envelope, closed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.queue) == 0 {
		return nil, p.closed
	}
	return p.queue[0], false
}

func (p *Publisher) pop() {
	p.mu.Lock()
	p.queue[0] = nil
	p.queue = p.queue[1:]
	if len(p.queue) == 0 {
		p.queue = nil // lets go of the array
	}
	p.mu.Unlock()
}

func (p *Publisher) run(ctx context.Context) {
	defer close(p.ended)
	var c *ttrpc.Client
	defer func() {
		if c != nil {
			c.Close()
		}
	}()
	wait := retryMin
	for {
		event, closed := p.head()
		if event == nil {
			if closed {
				return
			}
			select {
			case <-p.wake:
				continue
			case <-ctx.Done():
				return
			}
		}
		err := p.forward(ctx, &c, event)
		if err == nil || refused(err) {
			if err != nil {
				slog.Error("containerd refused an event", KeyTopic, event.Topic, KeyError, err)
			}
			p.pop()
			wait = retryMin
			continue
		}
		slog.Debug("event not delivered yet", KeyTopic, event.Topic, KeyError, err)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
		wait = min(2*wait, retryMax)
	}
}

// forward makes one attempt. It connects if *c is nil, and leaves nil there if
// the connection is of no more use.
func (p *Publisher) forward(ctx context.Context, c **ttrpc.Client, event *types.Envelope) error {
	ctx, cancel := context.WithTimeout(ctx, forwardTimeout)
	defer cancel()
	if *c == nil {
		conn, err := p.dial(ctx)
		if err != nil {
			return err
		}
		*c = ttrpc.NewClient(conn)
	}
	_, err := eventsapi.NewTTRPCEventsClient(*c).Forward(ctx, &eventsapi.ForwardRequest{Envelope: event})
	if err != nil && !refused(err) {
		(*c).Close()
		*c = nil
	}
	return err
}

// refused reports whether containerd answered, and the answer will not change.
func refused(err error) bool {
	if errors.Is(err, ttrpc.ErrClosed) {
		return false
	}
	s, ok := status.FromError(err)
	if !ok {
		return false
	}
	switch s.Code() {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled, codes.Aborted, codes.ResourceExhausted:
		return false
	}
	return true
}
