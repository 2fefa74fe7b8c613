package image

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"jailshim/test/guest/applet"
)

// File is one entry of an image. What kind it is follows from its fields: a
// symbolic link when Link is set, another name of a file when Same is, a
// directory when Mode says so, otherwise a regular file. All belong to user 0 and
// group 0.
type File struct {
	// Name is the path in the image, with or without a leading slash.
	// Directories above it need no entry of their own: they get mode 0755.
	Name string
	// Mode holds the permission bits, fs.ModeDir for a directory, and any of
	// fs.ModeSetuid, fs.ModeSetgid and fs.ModeSticky.
	Mode fs.FileMode
	// Data is a regular file's content.
	Data []byte
	// Link is a symbolic link's target, taken as it is.
	Link string
	// Same is the Name of a regular file of the image: the entry is a hard link to
	// it, and costs nothing.
	Same string
}

// Guest returns the files of an image that holds the guest and nothing else but
// what a root file system needs: /bin/guest, a link in /bin for each of its
// commands, /root, /tmp, and an /etc/passwd and /etc/group with root and nobody.
//
// binary is the built jailshim/test/guest, for the image's platform.
func Guest(binary []byte) []File {
	files := []File{
		{Name: "/bin/guest", Mode: 0o755, Data: binary},
		{Name: "/etc/passwd", Mode: 0o644, Data: []byte("root:x:0:0:root:/root:/bin/guest\nnobody:x:65534:65534:nobody:/home:/bin/guest\n")},
		{Name: "/etc/group", Mode: 0o644, Data: []byte("root:x:0:\nnobody:x:65534:\n")},
		{Name: "/root", Mode: fs.ModeDir | 0o700},
		{Name: "/tmp", Mode: fs.ModeDir | fs.ModeSticky | 0o777},
	}
	for _, name := range applet.Names() {
		files = append(files, File{Name: "/bin/" + name, Link: "guest"})
	}
	return files
}

// tree returns the files under their clean relative names, with every missing
// directory added, parents before children.
func tree(files []File) ([]File, error) {
	all := make(map[string]File, len(files))
	for _, f := range files {
		given := f.Name
		f.Name = clean(given)
		if f.Name == "" || slices.Contains(strings.Split(given, "/"), "..") {
			return nil, fmt.Errorf("file %q: not a path inside the image", given)
		}
		if _, ok := all[f.Name]; ok {
			return nil, fmt.Errorf("file %q: given twice", given)
		}
		if (f.Link != "" || f.Same != "") && (len(f.Data) > 0 || f.Mode.IsDir()) || f.Link != "" && f.Same != "" {
			return nil, fmt.Errorf("file %q: a link has neither data nor a mode, and is of one kind", given)
		}
		if f.Same != "" {
			f.Same = clean(f.Same)
		}
		if f.Mode.IsDir() && len(f.Data) > 0 {
			return nil, fmt.Errorf("file %q: a directory has no data", given)
		}
		all[f.Name] = f
	}
	for _, f := range slices.Collect(maps.Values(all)) {
		for dir := path.Dir(f.Name); dir != "."; dir = path.Dir(dir) {
			above, ok := all[dir]
			switch {
			case !ok:
				all[dir] = File{Name: dir, Mode: fs.ModeDir | 0o755}
			case !above.Mode.IsDir():
				return nil, fmt.Errorf("file %q: %q is not a directory", f.Name, dir)
			}
		}
	}
	// A directory's name is a prefix of what is in it, so sorting puts it first.
	// Hard links come last, after all that they can be of.
	var sorted, links []File
	for _, name := range slices.Sorted(maps.Keys(all)) {
		f := all[name]
		if f.Same == "" {
			sorted = append(sorted, f)
			continue
		}
		if of, ok := all[f.Same]; !ok || of.Mode.IsDir() || of.Link != "" || of.Same != "" {
			return nil, fmt.Errorf("file %q: %q is not a regular file of the image", name, f.Same)
		}
		f.Mode = all[f.Same].Mode // a link has the mode of its file; who unpacks it may set it
		links = append(links, f)
	}
	return append(sorted, links...), nil
}

// clean returns a name as it is in a layer.
func clean(name string) string { return strings.TrimPrefix(path.Clean("/"+name), "/") }
