package shim

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/containerd/ttrpc"
)

// lingerTimeout bounds how long a server that ends waits for its clients to close their
// connections.
const lingerTimeout = 2 * time.Second

// connections counts the connections that a server has accepted and that are still open.
type connections struct {
	handshaker ttrpc.Handshaker
	closed     chan struct{} // has one place; told of each connection that was closed

	mu   sync.Mutex // guards the field below
	open int
}

func newConnections(h ttrpc.Handshaker) *connections {
	return &connections{handshaker: h, closed: make(chan struct{}, 1)}
}

// Handshake implements ttrpc.Handshaker.
func (c *connections) Handshake(ctx context.Context, conn net.Conn) (net.Conn, any, error) {
	conn, who, err := c.handshaker.Handshake(ctx, conn)
	if err != nil {
		return nil, nil, err
	}
	c.mu.Lock()
	c.open++
	c.mu.Unlock()
	return &connection{Conn: conn, gone: sync.OnceFunc(c.gone)}, who, nil
}

func (c *connections) gone() {
	c.mu.Lock()
	c.open--
	c.mu.Unlock()
	select {
	case c.closed <- struct{}{}:
	default:
	}
}

// linger waits until all connections are closed, for a bounded time.
func (c *connections) linger(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lingerTimeout)
	defer cancel()
	for {
		c.mu.Lock()
		open := c.open
		c.mu.Unlock()
		if open == 0 {
			return
		}
		select {
		case <-c.closed:
		case <-ctx.Done():
			return
		}
	}
}

// connection is a connection that is counted.
type connection struct {
	net.Conn
	gone func()
}

func (c *connection) Close() error {
	defer c.gone()
	return c.Conn.Close()
}
