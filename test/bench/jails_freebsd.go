package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/containerd/containerd/api/runtime/task/v3"
	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/mount"
	"github.com/containerd/ttrpc"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"jailshim/jailctl"
	"jailshim/jailctl/kernel"
	"jailshim/jailctl/plan"
)

// jails makes containers without containerd, each from a bundle of its own, all
// of one spec and on one root file system, one after the other or at once: so
// nothing is measured but what is named.
type jails struct {
	bench     *bench
	container containerd.Container // has the spec and the root file system
	spec      *specs.Spec
	root      []mount.Mount
	facts     plan.Facts
	driver    *jailctl.Runtime

	service *service // a container that runs; its shim makes the others too
	conn    *ttrpc.Client
	tasks   task.TTRPCTaskService
}

// trueProgram is a program of the image that ends at once, by its path: nobody
// has to look for it.
const trueProgram = "/bin/true"

// newJails prepares what all the containers have in common.
func (b *bench) newJails() (_ *jails, retErr error) {
	j := &jails{bench: b}
	defer func() {
		if retErr != nil {
			retErr = errors.Join(retErr, j.close())
		}
	}()
	var err error
	if j.container, err = b.container(b.config.ours, nil, trueProgram); err != nil {
		return nil, err
	}
	if j.spec, err = j.container.Spec(b.ctx); err != nil {
		return nil, err
	}
	if j.root, err = b.client.SnapshotService(b.snapshotter).Mounts(b.ctx, j.container.ID()); err != nil {
		return nil, err
	}
	known, err := kernel.Params()
	if err != nil {
		return nil, err
	}
	j.facts.Params = plan.ParamMap(known)
	if j.facts.Release, err = kernel.Osreldate(); err != nil {
		return nil, err
	}
	j.facts.Racct = kernel.RacctEnabled()
	j.driver = jailctl.New(jailctl.Config{Root: filepath.Join(b.daemon.Dir, "driver"), Namespace: b.daemon.Name()})
	if j.service, err = b.start(b.config.ours); err != nil {
		return nil, err
	}
	return j, j.connect()
}

// connect connects to the shim of the running container.
func (j *jails) connect() error {
	d := j.bench.daemon
	text, err := os.ReadFile(filepath.Join(d.Bundles(), d.Name(), j.service.container.ID(), "bootstrap.json"))
	if err != nil {
		return err
	}
	var bootstrap struct {
		Address string `json:"address"`
	}
	if err := json.Unmarshal(text, &bootstrap); err != nil {
		return err
	}
	conn, err := net.Dial("unix", strings.TrimPrefix(bootstrap.Address, "unix://"))
	if err != nil {
		return err
	}
	j.conn = ttrpc.NewClient(conn)
	j.tasks = task.NewTTRPCTaskClient(j.conn)
	return nil
}

// close removes what newJails has made.
func (j *jails) close() error {
	var errs []error
	if j.conn != nil {
		errs = append(errs, j.conn.Close())
	}
	if j.service != nil {
		errs = append(errs, j.service.remove())
	}
	if j.container != nil {
		errs = append(errs, j.container.Delete(j.bench.ctx, containerd.WithSnapshotCleanup))
	}
	return errors.Join(errs...)
}

// bundle makes the bundle of a container with a new id.
func (j *jails) bundle(args ...string) (id, dir string, err error) {
	id = j.bench.id()
	dir = j.bundleOf(id)
	spec := *j.spec
	process := *spec.Process
	process.Args = args
	spec.Process = &process
	return id, dir, writeBundle(dir, &spec)
}

// bundleOf is the folder of a container's bundle.
func (j *jails) bundleOf(id string) string { return filepath.Join(j.bench.daemon.Dir, "bundles", id) }

// writeBundle writes a bundle with an empty root folder.
func writeBundle(dir string, spec *specs.Spec) error {
	config, err := json.Marshal(spec)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, "rootfs"), 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "config.json"), config, 0o600)
}

// life makes a container of trueProgram in one way, lives its life and removes
// its bundle.
func (j *jails) life(way func(ctx context.Context, id, bundle string, c *clock) error) (sample, error) {
	id, bundle, err := j.bundle(trueProgram)
	if err != nil {
		return nil, err
	}
	c := clock{began: time.Now()}
	if err := way(j.bench.ctx, id, bundle, &c); err != nil {
		return nil, fmt.Errorf("container %s: %w", id, err)
	}
	// Not all of it at once: it fails if something is still mounted there.
	return c.phases(), errors.Join(
		os.Remove(filepath.Join(bundle, "rootfs")), os.Remove(filepath.Join(bundle, "config.json")), os.Remove(bundle))
}

// clock has the times of a container's life.
type clock struct {
	began, runs, ended, removed time.Time
}

// phases returns the whole time, and its parts, in the order of lifeMeasures.
func (c *clock) phases() sample {
	var s sample
	for _, d := range []time.Duration{c.removed.Sub(c.began), c.runs.Sub(c.began), c.ended.Sub(c.runs), c.removed.Sub(c.ended)} {
		s = append(s, milliseconds(d)...)
	}
	return s
}

// lifeMeasures are the parts of a life.
func lifeMeasures(name string, b *bound) []*measure {
	return []*measure{
		{Name: name + ": create to delete, true", Unit: "ms", Bound: b},
		{Name: name + ": until it runs", Unit: "ms"},
		{Name: name + ": until it has ended", Unit: "ms"},
		{Name: name + ": removal", Unit: "ms"},
	}
}

// systemCalls is what the first rows are compared with.
const systemCalls = "the same system calls made directly"

// The bounds, from the design.
var (
	callsMax = &bound{Ratio: true, Max: 1.5}
	jexecMax = &bound{Ratio: true, Max: 1.5}
	manyMax  = &bound{Ratio: true, Max: 1.3}
)

// hostMeasures measures what there is on this system alone.
func (b *bench) hostMeasures(r *report) (retErr error) {
	j, err := b.newJails()
	if err != nil {
		return err
	}
	defer func() { retErr = errors.Join(retErr, j.close()) }()
	against := func(way func(context.Context, string, string, *clock) error) func(bool) (sample, error) {
		return func(ours bool) (sample, error) {
			if ours {
				return j.life(way)
			}
			return j.life(j.direct)
		}
	}
	n := b.config.pairs
	for _, s := range []series{
		{pairs: n, peer: systemCalls, f: against(j.served), measures: lifeMeasures("task service", callsMax)},
		{pairs: n, peer: systemCalls, f: against(j.driven), measures: lifeMeasures("driver in the bench", nil)},
		{pairs: 3 * n, peer: "jexec", f: j.exec, measures: []*measure{{Name: "task service: exec to delete, true", Unit: "ms", Bound: jexecMax}}},
	} {
		if err := b.series(r, s); err != nil {
			return err
		}
	}
	if err := j.commands(r, n); err != nil {
		return err
	}
	return j.many(r, b.config.many)
}
