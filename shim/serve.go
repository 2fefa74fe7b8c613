package shim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"github.com/containerd/ttrpc"
	"golang.org/x/sys/unix"
)

const (
	listenerFd = 3

	// drainTimeout bounds the end of the server: calls under way and events.
	drainTimeout = 10 * time.Second

	// maxProcs is for a process that mostly sleeps and should stay small.
	maxProcs = 2
)

// serve is the server: it answers on the inherited socket until Shutdown.
func (p *Program) serve(ctx context.Context, inv *invocation) error {
	bundle, err := os.Getwd()
	if err != nil {
		return fmt.Errorf("bundle: %w", err)
	}
	listener, err := inheritedListener()
	if err != nil {
		return err
	}
	openLog(bundle, inv.debug)
	// From here on, what goes wrong is told through the log.
	if err := p.serveOn(ctx, inv, listener); err != nil {
		slog.Error("server failed", KeyError, err)
		return err
	}
	return nil
}

func (p *Program) serveOn(ctx context.Context, inv *invocation, listener *net.UnixListener) error {
	// A process that keeps its bundle as working directory can't start
	// another one on FreeBSD once containerd has renamed it away.
	if err := os.Chdir("/"); err != nil {
		return err
	}
	runtime.GOMAXPROCS(maxProcs)
	if err := becomeSubreaper(); err != nil {
		return fmt.Errorf("become subreaper: %w", err)
	}
	state := StateDir(inv.address)
	own, err := makeFolder(state, inv.namespace, inv.id, inv.socket)
	if err != nil {
		return err
	}
	defer own.unlock()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// Once the call that ended this server is answered, the same container may
	// be created anew. The name must be free by then, and nothing of the new
	// server's may be taken for ours.
	shutdown := sync.OnceFunc(func() {
		os.Remove(inv.socket)
		os.RemoveAll(own.dir)
		cancel()
	})
	defer shutdown()
	reaper := NewReaper()
	defer reaper.Close()
	events := NewPublisher(inv.namespace, os.Getenv(envTTRPCAddress))

	service, err := p.Serve(ctx, &Server{
		Namespace: inv.namespace,
		Name:      own.name,
		StateDir:  state,
		Reaper:    reaper,
		Events:    events,
		shutdown:  shutdown,
	})
	if err != nil {
		return err
	}
	tidy := newTidier()
	defer tidy.timer.Stop()
	conns := newConnections(sameUser())
	server, err := ttrpc.NewServer(ttrpc.WithServerHandshaker(conns), ttrpc.WithUnaryServerInterceptor(tidy.intercept))
	if err != nil {
		return err
	}
	service.Register(server)
	stopSignals := handleSignals(service)
	defer stopSignals()

	served := make(chan error, 1)
	// goroutine: serve; ends when the listener is closed; waited for below.
	go func() { served <- server.Serve(context.WithoutCancel(ctx), listener) }()
	slog.Debug("serving", KeyNamespace, inv.namespace, KeyContainer, inv.id, "version", p.Version)

	select {
	case err := <-served:
		return fmt.Errorf("ttrpc server: %w", err)
	case <-ctx.Done():
	}
	end, cancelEnd := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancelEnd()
	// The answer to Shutdown is on its way; ttrpc would not wait for it in any case.
	// containerd closes its connections then, one for each container that it had here.
	// Were they closed here first, a call of it that is slow to take its answer, of another
	// container's deletion, could fail: ttrpc's client sees both at once, and chooses either.
	conns.linger(end)
	closeErr := server.Shutdown(end)
	if errors.Is(closeErr, context.DeadlineExceeded) {
		closeErr = server.Close()
	}
	if err := events.Close(end); err != nil {
		slog.Error("events lost", KeyError, err)
	}
	return closeErr
}

// inheritedListener returns the socket that start has left at descriptor 3.
func inheritedListener() (*net.UnixListener, error) {
	f := os.NewFile(listenerFd, "listener")
	if f == nil {
		return nil, errNoListener
	}
	defer f.Close()
	l, err := net.FileListener(f)
	if err != nil {
		return nil, fmt.Errorf("%w (%w)", errNoListener, err)
	}
	u, ok := l.(*net.UnixListener)
	if !ok {
		l.Close()
		return nil, errNoListener
	}
	return u, nil
}

// openLog sends the log, and the text of a panic, to containerd through the
// fifo "log" of the bundle. Without it the log goes nowhere. The descriptor
// does not block: a daemon that doesn't read must not stop the containers.
func openLog(bundle string, debugLevel bool) {
	if fd, err := unix.Open(filepath.Join(bundle, "log"), unix.O_WRONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0); err == nil {
		_ = dup2(fd, 2)
		_ = unix.Close(fd)
	}
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: logLevel(debugLevel)})))
}

// handleSignals ends an idle server on SIGTERM and SIGINT, and writes all
// goroutines to the log on SIGUSR1. While containers live, the polite signals
// have no effect but a line in the log: ending would orphan them.
//
// SIGPIPE is caught so that a write to a log that nobody reads is an error,
// and not the end of the process.
func handleSignals(s Service) (stop func()) {
	c := make(chan os.Signal, 16)
	signal.Notify(c, syscall.SIGTERM, syscall.SIGINT, syscall.SIGUSR1, syscall.SIGPIPE)
	done := make(chan struct{})
	// goroutine: serve; ends when stop is called; nobody waits for it.
	go func() {
		for {
			select {
			case <-done:
				return
			case sig := <-c:
				switch sig {
				case syscall.SIGUSR1:
					dumpStacks()
				case syscall.SIGTERM, syscall.SIGINT:
					if s.EndIfIdle() {
						continue
					}
					slog.Warn("not ending on a signal while there are containers; remove them, or use SIGKILL and containerd cleans up", "signal", sig.String())
				}
			}
		}
	}()
	return func() {
		signal.Stop(c)
		close(done)
	}
}

// dumpStacks writes the stacks of all goroutines to standard error.
func dumpStacks() {
	buf := make([]byte, 64<<10)
	for {
		n := runtime.Stack(buf, true)
		if n < len(buf) {
			buf = buf[:n]
			break
		}
		buf = make([]byte, 2*len(buf))
	}
	fmt.Fprintf(os.Stderr, "=== BEGIN goroutine stack dump ===\n%s\n=== END goroutine stack dump ===\n", buf)
}

// tidier gives memory back to the system when calls have come and gone.
type tidier struct {
	timer *time.Timer
	first sync.Once
}

// tidyAfter is how long after the last call memory is given back.
const tidyAfter = time.Second

func newTidier() *tidier {
	t := new(tidier)
	t.timer = time.AfterFunc(tidyAfter, t.tidy)
	return t
}

func (t *tidier) tidy() {
	t.first.Do(func() {
		// What is used of the program from now on is what a server needs.
		if err := trimProgram(); err != nil {
			slog.Debug("memory of the program that is not used stays", KeyError, err)
		}
	})
	debug.FreeOSMemory()
}

func (t *tidier) intercept(ctx context.Context, u ttrpc.Unmarshaler, _ *ttrpc.UnaryServerInfo, m ttrpc.Method) (any, error) {
	defer t.timer.Reset(tidyAfter)
	return m(ctx, u)
}
