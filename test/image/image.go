package image

import (
	"archive/tar"
	"bytes"
	_ "crypto/sha256" // for digest.FromBytes
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// containerdName is the annotation under which containerd's importer finds the
// full name of an image; the OCI annotation is for the tag alone.
const containerdName = "io.containerd.image.name"

// Write writes an OCI image layout with one image to w.
//
// name is the full reference that the image gets on import, with registry and
// tag ("example.test/guest:1"): nothing is looked up there. platform needs OS
// and Architecture. The image's configuration is PATH=/bin and the working
// directory /; it names no program, so whoever runs it says what to run.
//
// An error is either w's own or says which file can't be part of an image; what
// was written to w by then is no image.
func Write(w io.Writer, name string, platform ocispec.Platform, files ...File) error {
	if name == "" {
		return errors.New("image without a name: give registry, path and tag, as in example.test/guest:1")
	}
	if platform.OS == "" || platform.Architecture == "" {
		return fmt.Errorf("image %s: platform %+v lacks the system or the architecture", name, platform)
	}
	var layout layout
	layer, err := layer(files)
	if err != nil {
		return fmt.Errorf("image %s: %w", name, err)
	}
	layerDesc := layout.add(ocispec.MediaTypeImageLayer, layer)
	config, err := layout.addJSON(ocispec.MediaTypeImageConfig, ocispec.Image{
		Platform: platform,
		Config:   ocispec.ImageConfig{Env: []string{"PATH=/bin"}, WorkingDir: "/"},
		// The layer isn't compressed, so its diff id is its digest.
		RootFS: ocispec.RootFS{Type: "layers", DiffIDs: []digest.Digest{layerDesc.Digest}},
	})
	if err != nil {
		return err
	}
	manifest, err := layout.addJSON(ocispec.MediaTypeImageManifest, ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: ocispec.MediaTypeImageManifest,
		Config:    config,
		Layers:    []ocispec.Descriptor{layerDesc},
	})
	if err != nil {
		return err
	}
	manifest.Platform = &platform
	manifest.Annotations = map[string]string{
		containerdName:            name,
		ocispec.AnnotationRefName: name,
	}
	return layout.write(w, ocispec.Index{
		Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: ocispec.MediaTypeImageIndex,
		Manifests: []ocispec.Descriptor{manifest},
	})
}

// layout collects the blobs of an image layout in the order they were added.
type layout struct {
	blobs []blob
}

type blob struct {
	digest digest.Digest
	data   []byte
}

func (l *layout) add(mediaType string, data []byte) ocispec.Descriptor {
	d := digest.FromBytes(data)
	l.blobs = append(l.blobs, blob{d, data})
	return ocispec.Descriptor{MediaType: mediaType, Digest: d, Size: int64(len(data))}
}

func (l *layout) addJSON(mediaType string, v any) (ocispec.Descriptor, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	return l.add(mediaType, data), nil
}

func (l *layout) write(w io.Writer, index ocispec.Index) error {
	version, err := json.Marshal(ocispec.ImageLayout{Version: ocispec.ImageLayoutVersion})
	if err != nil {
		return err
	}
	list, err := json.Marshal(index)
	if err != nil {
		return err
	}
	files := []File{
		{Name: ocispec.ImageLayoutFile, Mode: 0o644, Data: version},
		{Name: ocispec.ImageIndexFile, Mode: 0o644, Data: list},
	}
	for _, b := range l.blobs {
		files = append(files, File{
			Name: ocispec.ImageBlobsDir + "/" + b.digest.Algorithm().String() + "/" + b.digest.Encoded(),
			Mode: 0o644,
			Data: b.data,
		})
	}
	return writeTar(w, files)
}

func layer(files []File) ([]byte, error) {
	var b bytes.Buffer
	if err := writeTar(&b, files); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// writeTar writes the files and the directories they are in as a tar stream.
func writeTar(w io.Writer, files []File) error {
	entries, err := tree(files)
	if err != nil {
		return err
	}
	t := tar.NewWriter(w)
	for _, f := range entries {
		if err := t.WriteHeader(header(f)); err != nil {
			return fmt.Errorf("file %q: %w", f.Name, err)
		}
		if _, err := t.Write(f.Data); err != nil {
			return fmt.Errorf("file %q: %w", f.Name, err)
		}
	}
	return t.Close()
}

func header(f File) *tar.Header {
	h := &tar.Header{
		Typeflag: tar.TypeReg,
		Name:     f.Name,
		Mode:     int64(f.Mode.Perm()),
		Size:     int64(len(f.Data)),
	}
	// The bits that tar has and fs.FileMode keeps elsewhere.
	for bit, mode := range map[int64]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if f.Mode&mode != 0 {
			h.Mode |= bit
		}
	}
	switch {
	case f.Link != "":
		h.Typeflag, h.Linkname, h.Mode = tar.TypeSymlink, f.Link, 0o777
	case f.Same != "":
		h.Typeflag, h.Linkname = tar.TypeLink, f.Same
	case f.Mode.IsDir():
		h.Typeflag, h.Name = tar.TypeDir, f.Name+"/"
	}
	return h
}
