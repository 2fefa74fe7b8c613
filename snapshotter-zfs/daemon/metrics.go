package daemon

import (
	"context"
	"log/slog"
	"net/http"
	"path"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	zfs "jailshim/snapshotter-zfs"
	"jailshim/snapshotter-zfs/engine"
)

// metrics are what Prometheus gets.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
	calls    *prometheus.HistogramVec
	watched  atomic.Pointer[zfs.Snapshotter]
}

// waits are the bounds of times, in seconds: a txg takes from milliseconds to, on a pool
// that writes much, several seconds.
var waits = prometheus.ExponentialBuckets(0.001, 2, 14)

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "openzfs_request_seconds", Help: "How long containerd's requests took.", Buckets: waits,
		}, []string{"method", "code"}),
		calls: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "openzfs_zfs_seconds", Help: "How long calls of ZFS took; those that change something wait for a transaction group.", Buckets: waits,
		}, []string{"call", "result"}),
	}
	m.registry.MustRegister(m.requests, m.calls, m)
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// watch has the state of a snapshotter told.
func (m *metrics) watch(s *zfs.Snapshotter) { m.watched.Store(s) }

// gauge is one number of the state.
type gauge struct {
	desc  *prometheus.Desc
	value func(zfs.Status) float64
}

func newGauge(name, help string, value func(zfs.Status) float64) gauge {
	return gauge{prometheus.NewDesc("openzfs_"+name, help, nil, nil), value}
}

var gauges = []gauge{
	newGauge("ready", "1 if the dataset answers.", func(s zfs.Status) float64 {
		if s.Ready {
			return 1
		}
		return 0
	}),
	newGauge("active_snapshots", "Active snapshots.", func(s zfs.Status) float64 { return float64(s.Active) }),
	newGauge("views", "Views.", func(s zfs.Status) float64 { return float64(s.Views) }),
	newGauge("committed_snapshots", "Committed snapshots.", func(s zfs.Status) float64 { return float64(s.Committed) }),
	newGauge("volumes", "Datasets.", func(s zfs.Status) float64 { return float64(s.Volumes) }),
	newGauge("left_over", "Datasets and snapshots that the next cleanup destroys.", func(s zfs.Status) float64 { return float64(s.LeftOver) }),
	newGauge("kept_layers", "Layers that containerd removed and that are kept.", func(s zfs.Status) float64 { return float64(s.Kept) }),
	newGauge("kept_bytes", "Their size.", func(s zfs.Status) float64 { return float64(s.KeptBytes) }),
	newGauge("used_bytes", "What all below the root takes.", func(s zfs.Status) float64 { return float64(s.Used) }),
	newGauge("available_bytes", "What can be written.", func(s zfs.Status) float64 { return float64(s.Available) }),
}

// Describe implements prometheus.Collector.
func (m *metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, g := range gauges {
		ch <- g.desc
	}
}

// Collect implements prometheus.Collector.
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	s := m.watched.Load()
	if s == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	st, err := s.Status(ctx)
	if err != nil {
		return // it is closed
	}
	for _, g := range gauges {
		ch <- prometheus.MustNewConstMetric(g.desc, prometheus.GaugeValue, g.value(st))
	}
}

// intercept measures and logs requests.
func (m *metrics) intercept(log *slog.Logger) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		begin := time.Now()
		resp, err := handler(ctx, req)
		took, code := time.Since(begin), status.Code(err)
		method := path.Base(info.FullMethod)
		m.requests.WithLabelValues(method, code.String()).Observe(took.Seconds())
		log.Log(ctx, levelOf(code), "request", "method", method, "key", keyOf(req), "code", code, "took", took, "error", err)
		return resp, err
	}
}

// levelOf tells what someone should look at from what containerd asks for all day.
func levelOf(code codes.Code) slog.Level {
	switch code {
	case codes.OK, codes.NotFound, codes.AlreadyExists, codes.Canceled:
		return slog.LevelDebug
	case codes.FailedPrecondition, codes.InvalidArgument, codes.Unavailable:
		return slog.LevelWarn
	default:
		return slog.LevelError
	}
}

func keyOf(req any) string {
	if r, ok := req.(interface{ GetKey() string }); ok {
		return r.GetKey()
	}
	return ""
}

// observe returns an engine whose calls are measured.
func (m *metrics) observe(e engine.Engine) engine.Engine { return &observed{Engine: e, calls: m.calls} }

type observed struct {
	engine.Engine
	calls *prometheus.HistogramVec
}

func (o *observed) begin(call string) func(error) {
	begin := time.Now()
	return func(err error) {
		result := "ok"
		if err != nil {
			result = "error"
		}
		o.calls.WithLabelValues(call, result).Observe(time.Since(begin).Seconds())
	}
}

func (o *observed) Create(ctx context.Context, name string, props map[string]string) (err error) {
	end := o.begin(engine.OpCreate)
	defer func() { end(err) }()
	return o.Engine.Create(ctx, name, props)
}

func (o *observed) Clone(ctx context.Context, snapshot, name string, props map[string]string) (err error) {
	end := o.begin(engine.OpClone)
	defer func() { end(err) }()
	return o.Engine.Clone(ctx, snapshot, name, props)
}

func (o *observed) Snapshot(ctx context.Context, names []string, props map[string]string) (err error) {
	end := o.begin(engine.OpSnapshot)
	defer func() { end(err) }()
	return o.Engine.Snapshot(ctx, names, props)
}

func (o *observed) Destroy(ctx context.Context, names []string, deferred bool) (err error) {
	end := o.begin(engine.OpDestroy)
	defer func() { end(err) }()
	return o.Engine.Destroy(ctx, names, deferred)
}

func (o *observed) Rollback(ctx context.Context, dataset, snapshot string) (err error) {
	end := o.begin(engine.OpRollback)
	defer func() { end(err) }()
	return o.Engine.Rollback(ctx, dataset, snapshot)
}

func (o *observed) SetProps(ctx context.Context, name string, props map[string]string) (err error) {
	end := o.begin(engine.OpSetProps)
	defer func() { end(err) }()
	return o.Engine.SetProps(ctx, name, props)
}

func (o *observed) Get(ctx context.Context, name string) (d engine.Dataset, err error) {
	end := o.begin(engine.OpGet)
	defer func() { end(err) }()
	return o.Engine.Get(ctx, name)
}

func (o *observed) List(ctx context.Context, root string) (list []engine.Dataset, err error) {
	end := o.begin(engine.OpList)
	defer func() { end(err) }()
	return o.Engine.List(ctx, root)
}
