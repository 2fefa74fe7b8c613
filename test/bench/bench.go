package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/containerd/v2/pkg/oci"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"jailshim/test/daemon"
	"jailshim/test/image"
)

// imageName is the image of all containers. It holds the tests' guest program.
const imageName = "bench.test/guest:1"

// bench is a running daemon with the image in it.
type bench struct {
	ctx         context.Context // carries the namespace
	config      *config
	out         io.Writer
	daemon      *daemon.Daemon
	client      *containerd.Client
	image       containerd.Image
	snapshotter string
	ids         int // containers and execs made so far
}

// newBench starts the daemon and imports the image.
func newBench(ctx context.Context, c *config, d *daemon.Daemon, out io.Writer) (_ *bench, err error) {
	b := &bench{ctx: namespaces.WithNamespace(ctx, d.Name()), config: c, out: out, daemon: d}
	if err := d.Start(b.ctx); err != nil {
		return nil, err
	}
	if b.snapshotter, err = d.Snapshotter(b.ctx); err != nil {
		return nil, err
	}
	if b.client, err = d.Client(d.Name()); err != nil {
		return nil, err
	}
	guest, err := os.ReadFile(filepath.Join(c.bin, "test", "guest"))
	if err != nil {
		return nil, fmt.Errorf("%w: run \"make bench\", which builds it", err)
	}
	var tar bytes.Buffer
	platform := ocispec.Platform{OS: runtime.GOOS, Architecture: runtime.GOARCH}
	// As in most images; not every runtime makes the folders that it mounts upon.
	files := append(image.Guest(guest), image.File{Name: "/dev", Mode: fs.ModeDir | 0o755})
	if err := image.Write(&tar, imageName, platform, files...); err != nil {
		return nil, err
	}
	images, err := b.client.Import(b.ctx, &tar)
	if err != nil {
		return nil, fmt.Errorf("import the image: %w", err)
	}
	if len(images) != 1 {
		return nil, fmt.Errorf("import the image: got %d images, want 1", len(images))
	}
	b.image = containerd.NewImage(b.client, images[0])
	return b, b.image.Unpack(b.ctx, b.snapshotter)
}

// id returns a name that no container or exec had yet, on the whole machine: not
// every runtime has namespaces.
func (b *bench) id() string {
	b.ids++
	name := b.daemon.Name()
	return fmt.Sprintf("b%s-%d", name[strings.LastIndex(name, "-")+1:], b.ids)
}

// container makes a container, without a task: a database record and a root
// file system, which cost the same for any runtime.
func (b *bench) container(runtime string, opts []oci.SpecOpts, args ...string) (containerd.Container, error) {
	id := b.id()
	spec := append([]oci.SpecOpts{oci.WithImageConfig(b.image), oci.WithProcessArgs(args...), oci.WithAnnotations(annotations)}, opts...)
	return b.client.NewContainer(b.ctx, id,
		containerd.WithSnapshotter(b.snapshotter),
		containerd.WithImage(b.image),
		containerd.WithNewSnapshot(id, b.image),
		containerd.WithRuntime(runtime, nil),
		containerd.WithNewSpec(spec...),
	)
}

// quiet waits until no shim and no container is there, so that what the last run
// still does is not counted against the next.
func (b *bench) quiet() error {
	kinds, total, err := b.daemon.AwaitClean(b.ctx)
	if err == nil && total > 0 {
		err = fmt.Errorf("left over after a run: %v", kinds)
	}
	return err
}
