package e2e

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/pkg/rootfs"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/identity"
	imagespecs "github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"jailshim/snapshotter-zfs/zfstest"
	"jailshim/test/e2e/testbed"
)

// compared is a snapshotter that is compared with another.
type compared struct {
	name, pool string
	took       time.Duration
	txgs       uint64
}

// measure adds what f takes.
func (c *compared) measure(t *testing.T, f func()) {
	t.Helper()
	txg, begin := zfstest.TXG(t, c.pool), time.Now()
	f()
	c.took += time.Since(begin)
	c.txgs += zfstest.TXG(t, c.pool) - txg
}

// TestE2E_OpenZFS_NextToContainerds: an image of twenty layers, and a hundred containers'
// file systems at once, through containerd, on our snapshotter and on its own.
func TestE2E_OpenZFS_NextToContainerds(t *testing.T) {
	pool := zfstest.NewPool(t, 3<<30)
	zfsCommand(t, "create", pool.Name+"/builtin")
	o, s := startOpenZFS(t, func(d *testbed.Daemon) {
		if err := d.UseZFS(pool.Name + "/builtin"); err != nil {
			t.Fatal(err)
		}
	})
	ctx, done, err := s.Client.WithLease(s.Ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := done(s.Ctx); err != nil {
			t.Error(err)
		}
	}()
	s.Ctx = ctx
	const layers, prepares = 20, 100
	// What happens only once is in the first image, and not in what is measured.
	unpackSideBySide(t, s, layered(t, s, "example.test/first:1", 2), newCompared(o.pool.Name, pool.Name)...)
	both := newCompared(o.pool.Name, pool.Name)
	top := unpackSideBySide(t, s, layered(t, s, "example.test/layered:1", layers), both...)
	compare(t, "unpack", 3, both...)
	both = newCompared(o.pool.Name, pool.Name)
	prepareSideBySide(t, s, top.String(), prepares, both...)
	compare(t, "prepare", 10, both...)
}

// newCompared returns our snapshotter and containerd's, each with its pool.
func newCompared(ours, theirs string) []*compared {
	return []*compared{{name: openzfs, pool: ours}, {name: "zfs", pool: theirs}}
}

// compare fails the test if the first is not so many times as fast as the second, or
// takes not so many times less of what a real disk is slow at. ZFS makes some
// transaction groups by itself, so their number is no more exact than that.
func compare(t *testing.T, what string, times float64, both ...*compared) {
	t.Helper()
	ours, theirs := both[0], both[1]
	ratio := theirs.took.Seconds() / ours.took.Seconds()
	t.Logf("%s: containerd's %v in %d txgs, ours %v in %d txgs: %.1f times as fast",
		what, theirs.took, theirs.txgs, ours.took, ours.txgs, ratio)
	if ratio < times || float64(theirs.txgs) < times*float64(ours.txgs) {
		t.Errorf("%s: want it %v times as fast as containerd's own, and with as many times fewer txgs", what, times)
	}
}

// unpackSideBySide unpacks an image on two snapshotters, as Image.Unpack of containerd's
// client does, but each layer on one and then on the other: so what else the machine
// does slows both down. It returns the chain id.
func unpackSideBySide(t *testing.T, s *testbed.Space, image containerd.Image, both ...*compared) digest.Digest {
	t.Helper()
	manifest, err := images.Manifest(s.Ctx, s.Client.ContentStore(), image.Target(), image.Platform())
	if err != nil {
		t.Fatal(err)
	}
	var chain []digest.Digest
	for _, desc := range manifest.Layers {
		layer := rootfs.Layer{Blob: desc, Diff: ocispec.Descriptor{MediaType: ocispec.MediaTypeImageLayer, Digest: desc.Digest}}
		for _, c := range both {
			c.measure(t, func() {
				unpacked, err := rootfs.ApplyLayer(s.Ctx, layer, chain, s.Client.SnapshotService(c.name), s.Client.DiffService())
				if err != nil || !unpacked {
					t.Fatalf("%s: unpacked: %t, %v", c.name, unpacked, err)
				}
			})
		}
		chain = append(chain, desc.Digest)
	}
	return identity.ChainID(chain)
}

// prepareSideBySide prepares snapshots at once, on two snapshotters. Theirs takes
// minutes, and so has all that a busy machine does in them: ours is measured before and
// after, and the shorter time counts.
func prepareSideBySide(t *testing.T, s *testbed.Space, parent string, n int, both ...*compared) {
	t.Helper()
	ours, theirs := both[0], both[1]
	after := *ours
	for _, c := range []*compared{ours, theirs, &after} {
		prepareMany(t, s, c, parent, n)
	}
	t.Logf("prepare: ours %v before and %v after", ours.took, after.took)
	if after.took < ours.took {
		*ours = after
	}
}

// prepareMany prepares snapshots at once, and removes them.
func prepareMany(t *testing.T, s *testbed.Space, c *compared, parent string, n int) {
	t.Helper()
	sn := s.Client.SnapshotService(c.name)
	errs := make([]error, n)
	key := func(i int) string { return fmt.Sprintf("many%d", i) }
	c.measure(t, func() {
		var group sync.WaitGroup
		for i := range n {
			group.Go(func() { _, errs[i] = sn.Prepare(s.Ctx, key(i), parent) })
		}
		group.Wait()
	})
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if err := sn.Remove(s.Ctx, key(i)); err != nil {
			t.Error(err)
		}
	}
}

// layered makes an image of layers with a file each, which no other image has. It needs
// a lease.
func layered(t *testing.T, s *testbed.Space, name string, n int) containerd.Image {
	t.Helper()
	platform := ocispec.Platform{OS: runtime.GOOS, Architecture: runtime.GOARCH}
	config := ocispec.Image{Platform: platform, RootFS: ocispec.RootFS{Type: "layers"}}
	manifest := ocispec.Manifest{Versioned: imagespecs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest}
	labels := map[string]string{}
	for i := range n {
		var layer bytes.Buffer
		w := tar.NewWriter(&layer)
		body := bytes.Repeat([]byte(fmt.Sprintf("%s, layer %d\n", name, i)), 1000)
		if err := w.WriteHeader(&tar.Header{Name: fmt.Sprintf("file%d", i), Mode: 0o644, Size: int64(len(body))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(body); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		desc := blob(t, s, ocispec.MediaTypeImageLayer, layer.Bytes(), nil)
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, desc.Digest)
		manifest.Layers = append(manifest.Layers, desc)
		labels[fmt.Sprintf("containerd.io/gc.ref.content.l.%d", i)] = desc.Digest.String()
	}
	manifest.Config = blob(t, s, ocispec.MediaTypeImageConfig, asJSON(t, config), nil)
	labels["containerd.io/gc.ref.content.config"] = manifest.Config.Digest.String()
	target := blob(t, s, ocispec.MediaTypeImageManifest, asJSON(t, manifest), labels)
	image, err := s.Client.ImageService().Create(s.Ctx, images.Image{Name: name, Target: target})
	if err != nil {
		t.Fatal(err)
	}
	return containerd.NewImage(s.Client, image)
}

func asJSON(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// blob adds content to the store.
func blob(t *testing.T, s *testbed.Space, mediaType string, data []byte, labels map[string]string) ocispec.Descriptor {
	t.Helper()
	desc := ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}
	err := content.WriteBlob(s.Ctx, s.Client.ContentStore(), desc.Digest.String(), bytes.NewReader(data), desc, content.WithLabels(labels))
	if err != nil {
		t.Fatal(err)
	}
	return desc
}
