package image

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"jailshim/test/guest/applet"
)

var linux = ocispec.Platform{OS: "linux", Architecture: "amd64"}

// entries reads a tar stream into headers and contents, in order.
func entries(t *testing.T, r io.Reader) (headers []*tar.Header, content map[string][]byte) {
	t.Helper()
	content = map[string][]byte{}
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return headers, content
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(tr)
		if err != nil {
			t.Fatal(err)
		}
		headers = append(headers, h)
		content[h.Name] = data
	}
}

// follow returns the blob that a descriptor points to, after checking its
// digest and size.
func follow(t *testing.T, content map[string][]byte, d ocispec.Descriptor) []byte {
	t.Helper()
	data, ok := content["blobs/sha256/"+d.Digest.Encoded()]
	if !ok {
		t.Fatalf("blob %s is not in the layout", d.Digest)
	}
	if got := digest.FromBytes(data); got != d.Digest || int64(len(data)) != d.Size {
		t.Fatalf("blob %s of %d bytes holds %s of %d bytes", d.Digest, d.Size, got, len(data))
	}
	return data
}

func decode[T any](t *testing.T, data []byte) T {
	t.Helper()
	var v T
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	return v
}

// TestWrite_EachPlatform_ReadsBack: an importer follows layout, index, manifest,
// config and layer exactly like this; a break anywhere leaves the tests, the
// demo and the bench without an image.
func TestWrite_EachPlatform_ReadsBack(t *testing.T) {
	const name = "example.test/a:1"
	files := []File{
		{Name: "/bin/prog", Mode: fs.ModeSetuid | 0o755, Data: []byte("program")},
		{Name: "bin/link", Link: "prog"},
		{Name: "/a/again", Same: "/bin/prog"},
		{Name: "/tmp/", Mode: fs.ModeDir | fs.ModeSticky | 0o777},
		{Name: "/a/b/c", Mode: 0o600},
	}
	for _, p := range []ocispec.Platform{linux, {OS: "freebsd", Architecture: "amd64"}, {OS: "linux", Architecture: "arm64"}, {OS: "freebsd", Architecture: "arm64"}} {
		t.Run(p.OS+"-"+p.Architecture, func(t *testing.T) {
			var out bytes.Buffer
			if err := Write(&out, name, p, files...); err != nil {
				t.Fatal(err)
			}
			_, content := entries(t, &out)
			if v := decode[ocispec.ImageLayout](t, content["oci-layout"]); v.Version != "1.0.0" {
				t.Errorf("layout version %q", v.Version)
			}
			index := decode[ocispec.Index](t, content["index.json"])
			if len(index.Manifests) != 1 {
				t.Fatalf("%d manifests, want 1", len(index.Manifests))
			}
			m := index.Manifests[0]
			if got := m.Annotations["io.containerd.image.name"]; got != name {
				t.Errorf("name on import %q, want %q", got, name)
			}
			if m.Platform == nil || m.Platform.OS != p.OS || m.Platform.Architecture != p.Architecture {
				t.Errorf("index says platform %+v, want %+v", m.Platform, p)
			}
			manifest := decode[ocispec.Manifest](t, follow(t, content, m))
			config := decode[ocispec.Image](t, follow(t, content, manifest.Config))
			if config.OS != p.OS || config.Architecture != p.Architecture {
				t.Errorf("config says platform %s/%s, want %s/%s", config.OS, config.Architecture, p.OS, p.Architecture)
			}
			if len(manifest.Layers) != 1 || len(config.RootFS.DiffIDs) != 1 {
				t.Fatalf("%d layers, %d diff ids, want 1 and 1", len(manifest.Layers), len(config.RootFS.DiffIDs))
			}
			layer := follow(t, content, manifest.Layers[0])
			if got := digest.FromBytes(layer); got != config.RootFS.DiffIDs[0] {
				t.Errorf("diff id %s, want %s", config.RootFS.DiffIDs[0], got)
			}

			type entry struct {
				name, link string
				kind       byte
				mode       int64
			}
			headers, inLayer := entries(t, bytes.NewReader(layer))
			var got []entry
			for _, h := range headers {
				got = append(got, entry{h.Name, h.Linkname, h.Typeflag, h.Mode})
				if h.Uid != 0 || h.Gid != 0 || h.ModTime.Unix() != 0 {
					t.Errorf("%s: owner %d:%d, time %v, want 0:0 and 0", h.Name, h.Uid, h.Gid, h.ModTime)
				}
			}
			want := []entry{
				{"a/", "", tar.TypeDir, 0o755},
				{"a/b/", "", tar.TypeDir, 0o755},
				{"a/b/c", "", tar.TypeReg, 0o600},
				{"bin/", "", tar.TypeDir, 0o755},
				{"bin/link", "prog", tar.TypeSymlink, 0o777},
				{"bin/prog", "", tar.TypeReg, 0o4755},
				{"tmp/", "", tar.TypeDir, 0o1777},
				{"a/again", "bin/prog", tar.TypeLink, 0o4755},
			}
			if !slices.Equal(got, want) {
				t.Errorf("layer holds\n%v\nwant\n%v", got, want)
			}
			if string(inLayer["bin/prog"]) != "program" {
				t.Errorf("bin/prog holds %q", inLayer["bin/prog"])
			}
		})
	}
}

// TestWrite_SameFilesAnyOrder_SameBytes: the bench compares runs over the same
// image, and containerd unpacks an image with a known digest only once.
func TestWrite_SameFilesAnyOrder_SameBytes(t *testing.T) {
	files := Guest([]byte("guest"))
	var a, b bytes.Buffer
	if err := Write(&a, "example.test/a:1", linux, files...); err != nil {
		t.Fatal(err)
	}
	slices.Reverse(files)
	if err := Write(&b, "example.test/a:1", linux, files...); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Error("two writes of the same files differ")
	}
}

// TestWrite_BadInput_NamesIt: a script that gives a wrong file list should be
// told which file, not get an image that fails in the runtime.
func TestWrite_BadInput_NamesIt(t *testing.T) {
	for _, tc := range []struct {
		name     string
		platform ocispec.Platform
		files    []File
		want     string // in the error
	}{
		{"", linux, nil, "without a name"},
		{"a:1", ocispec.Platform{OS: "linux"}, nil, "platform"},
		{"a:1", ocispec.Platform{Architecture: "amd64"}, nil, "platform"},
		{"a:1", linux, []File{{Name: ""}}, `""`},
		{"a:1", linux, []File{{Name: "/"}}, `"/"`},
		{"a:1", linux, []File{{Name: "/a/../../b"}}, `"/a/../../b"`},
		{"a:1", linux, []File{{Name: "/a"}, {Name: "a"}}, `"a": given twice`},
		{"a:1", linux, []File{{Name: "/a", Data: []byte("x")}, {Name: "/a/b"}}, `"a/b": "a" is not a directory`},
		{"a:1", linux, []File{{Name: "/a", Link: "b"}, {Name: "/a/b"}}, `"a/b": "a" is not a directory`},
		{"a:1", linux, []File{{Name: "/a", Link: "b", Data: []byte("x")}}, `"/a"`},
		{"a:1", linux, []File{{Name: "/a", Mode: fs.ModeDir, Data: []byte("x")}}, `"/a"`},
		{"a:1", linux, []File{{Name: "/a", Same: "b"}}, `"a": "b" is not a regular file`},
		{"a:1", linux, []File{{Name: "/a", Same: "/b"}, {Name: "/b", Link: "c"}}, `"a": "b" is not a regular file`},
		{"a:1", linux, []File{{Name: "/a", Same: "/b"}, {Name: "/b", Mode: fs.ModeDir}}, `"a": "b" is not a regular file`},
		{"a:1", linux, []File{{Name: "/a", Same: "/a"}}, `"a": "a" is not a regular file`},
		{"a:1", linux, []File{{Name: "/a", Same: "/b", Data: []byte("x")}, {Name: "/b"}}, `"/a"`},
		{"a:1", linux, []File{{Name: "/a", Same: "/b", Link: "b"}, {Name: "/b"}}, `"/a"`},
		{"a:1", linux, []File{{Name: "/a", Same: "/b"}, {Name: "/b"}, {Name: "/a/c"}}, `"a/c": "a" is not a directory`},
	} {
		err := Write(io.Discard, tc.name, tc.platform, tc.files...)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("Write(%q, %+v, %+v) = %v, want an error with %s", tc.name, tc.platform, tc.files, err, tc.want)
		}
	}
}

// brokenPipe is a writer that takes a number of bytes.
type brokenPipe struct{ left int }

func (b *brokenPipe) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, io.ErrClosedPipe
	}
	return len(p), nil
}

// TestWrite_BrokenWriter_ErrorAtEveryPoint: a full disk must not leave a short
// file that looks written.
func TestWrite_BrokenWriter_ErrorAtEveryPoint(t *testing.T) {
	var whole bytes.Buffer
	files := []File{{Name: "/a", Data: bytes.Repeat([]byte("x"), 5000)}}
	if err := Write(&whole, "a:1", linux, files...); err != nil {
		t.Fatal(err)
	}
	for n := 0; n < whole.Len(); n += 100 {
		if err := Write(&brokenPipe{n}, "a:1", linux, files...); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("writer fails after %d of %d bytes: got %v", n, whole.Len(), err)
		}
	}
}

// TestGuest_EveryCommand_HasALink: a command without a link can't be run by its
// name, as nerdctl users in the tests do.
func TestGuest_EveryCommand_HasALink(t *testing.T) {
	links := map[string]string{}
	for _, f := range Guest([]byte("guest")) {
		links[f.Name] = f.Link
	}
	if len(applet.Names()) == 0 {
		t.Fatal("the guest has no commands")
	}
	for _, name := range applet.Names() {
		if links["/bin/"+name] != "guest" {
			t.Errorf("/bin/%s is a link to %q", name, links["/bin/"+name])
		}
	}
}
