package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	snapshotsapi "github.com/containerd/containerd/api/services/snapshots/v1"
	"github.com/containerd/containerd/v2/contrib/snapshotservice"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	zfs "jailshim/snapshotter-zfs"
	"jailshim/snapshotter-zfs/engine"
)

// locks is where the daemons of a machine keep each other off their datasets. It is not
// configured: all must have the same. The system empties it when it starts.
const locks = "/var/run/containerd-openzfs"

// grace is how long running requests have to end after a signal.
const grace = 10 * time.Second

// newSnapshotter opens the snapshotter that the configuration names.
func newSnapshotter(ctx context.Context, c Config, m *metrics, log *slog.Logger) (*zfs.Snapshotter, error) {
	mounter, err := zfs.NewMounter()
	if err != nil {
		return nil, err
	}
	return zfs.New(ctx, zfs.Config{
		Dataset: c.Dataset,
		State:   c.State,
		Locks:   locks,
		Open: func(ctx context.Context) (engine.Engine, error) {
			e, err := openEngine(ctx, c.Engine, engine.Pool(c.Dataset))
			if err != nil {
				return nil, err
			}
			return m.observe(e), nil
		},
		Mounter:    mounter,
		Properties: c.Properties,
		CacheSize:  c.CacheSize,
		CacheAge:   time.Duration(c.CacheAge),
		Log:        log,
	})
}

// serve serves until ctx ends, then lets running requests end.
func serve(ctx context.Context, c Config, log *slog.Logger) (retErr error) {
	m := newMetrics()
	sn, err := newSnapshotter(ctx, c, m, log)
	if err != nil {
		return err
	}
	defer func() { retErr = errors.Join(retErr, sn.Close()) }()
	m.watch(sn)

	listeners, err := listenAll(c)
	if err != nil {
		return err
	}
	plugin := grpc.NewServer(grpc.UnaryInterceptor(m.intercept(log)))
	snapshotsapi.RegisterSnapshotsServer(plugin, snapshotservice.FromSnapshotter(sn))
	mux := newAdminMux(sn)
	mux.Handle("/metrics", m.handler())
	commands := &http.Server{Handler: mux, ReadHeaderTimeout: grace}
	scrapes := &http.Server{Handler: m.handler(), ReadHeaderTimeout: grace}

	group, serving := errgroup.WithContext(ctx)
	group.Go(func() error { return plugin.Serve(listeners.plugin) })
	group.Go(func() error { return ignoreClosed(commands.Serve(listeners.admin)) })
	if listeners.metrics != nil {
		group.Go(func() error { return ignoreClosed(scrapes.Serve(listeners.metrics)) })
	}
	log.Info("serving", "socket", c.Socket, "dataset", c.Dataset)
	<-serving.Done() // a signal, or a listener that failed
	log.Info("ending")
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	stopPlugin(ending, plugin)
	return errors.Join(commands.Shutdown(ending), scrapes.Shutdown(ending), group.Wait())
}

// stopPlugin lets requests end, and cuts off those that don't in time.
func stopPlugin(ctx context.Context, s *grpc.Server) {
	stop := context.AfterFunc(ctx, s.Stop)
	defer stop()
	s.GracefulStop()
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

type listeners struct {
	plugin, admin, metrics net.Listener
}

func listenAll(c Config) (l listeners, err error) {
	if l.plugin, err = listenUnix(c.Socket); err != nil {
		return l, err
	}
	if l.admin, err = listenUnix(c.Admin); err != nil {
		l.plugin.Close()
		return l, err
	}
	switch {
	case c.Metrics == "":
		return l, nil
	case strings.HasPrefix(c.Metrics, "/"):
		l.metrics, err = listenUnix(c.Metrics)
	default:
		l.metrics, err = net.Listen("tcp", c.Metrics)
	}
	if err != nil {
		l.plugin.Close()
		l.admin.Close()
		return l, fmt.Errorf("metrics: %w", err)
	}
	return l, nil
}

// listenUnix makes a socket for root. Who holds the database is the only daemon, so a
// socket that is there is a dead one's.
func listenUnix(path string) (net.Listener, error) {
	if info, err := os.Lstat(path); err == nil && info.Mode()&os.ModeSocket == 0 {
		return nil, fmt.Errorf("socket %q: something else is there; remove it or choose another path", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("socket: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, fmt.Errorf("socket: %w", err)
	}
	return l, nil
}
