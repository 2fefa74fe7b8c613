package shim

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/containerd/ttrpc"
)

// open is a Handshaker that lets everybody in, or nobody.
type open struct{ err error }

func (o open) Handshake(_ context.Context, conn net.Conn) (net.Conn, any, error) {
	return conn, nil, o.err
}

// accepted returns the server's end of a connection that c counts.
func accepted(t *testing.T, c *connections) net.Conn {
	t.Helper()
	client, server := net.Pipe()
	server, _, err := c.Handshake(t.Context(), server)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close(); server.Close() })
	return server
}

// lingering returns what is closed when linger ends.
func lingering(t *testing.T, c *connections) <-chan struct{} {
	t.Helper()
	done := make(chan struct{})
	go func() { c.linger(t.Context()); close(done) }()
	return done
}

func wantWaiting(t *testing.T, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
		t.Fatal("linger did not wait")
	case <-time.After(50 * time.Millisecond):
	}
}

func TestConnections_Linger_UntilTheLastIsClosed(t *testing.T) {
	c := newConnections(open{})
	a, b := accepted(t, c), accepted(t, c)
	done := lingering(t, c)
	// The second Close of a connection, which ttrpc makes, is not another one's.
	a.Close()
	a.Close()
	wantWaiting(t, done)
	b.Close()
	await(t, done, "the end of linger")
	await(t, lingering(t, c), "linger without connections")
}

func TestConnections_Linger_IsBounded(t *testing.T) {
	c := newConnections(open{})
	accepted(t, c)
	began := time.Now()
	await(t, lingering(t, c), "the end of linger")
	if took := time.Since(began); took < lingerTimeout {
		t.Errorf("it gave up after %v", took)
	}
}

func TestConnections_RefusedClient_IsNotCounted(t *testing.T) {
	refused := errors.New("refused")
	c := newConnections(open{refused})
	client, server := net.Pipe()
	defer client.Close()
	defer server.Close()
	if _, _, err := c.Handshake(t.Context(), server); !errors.Is(err, refused) {
		t.Errorf("got %v", err)
	}
	await(t, lingering(t, c), "linger without connections")
}

// A server that ends waits for its client, which has not yet closed its connection.
func TestConnections_Server_ClientClosesFirst(t *testing.T) {
	c := newConnections(open{})
	server, err := ttrpc.NewServer(ttrpc.WithServerHandshaker(c))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", t.TempDir()+"/s")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(t.Context(), l) }()
	conn, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	client := ttrpc.NewClient(conn)
	// A call makes sure that the server has the connection.
	if err := client.Call(t.Context(), "none", "none", &ttrpc.Request{}, &ttrpc.Response{}); err == nil || errors.Is(err, ttrpc.ErrClosed) {
		t.Fatalf("a call of no service: %v", err)
	}
	done := lingering(t, c)
	wantWaiting(t, done)
	client.Close()
	await(t, done, "the end of linger, when the client has closed")
	if err := server.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-served; !errors.Is(err, ttrpc.ErrServerClosed) {
		t.Error(err)
	}
}
