package main

import (
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"jailshim/test/image"
)

// content is what is in the image, and what the demo does with it.
type content struct {
	what  string // in words
	files []image.File

	hello   []string // prints something and ends with status 42
	service []string // runs until SIGTERM, then ends with status
	status  int
	exec    []string // tells something from inside the service's container
	shell   []string // is run at a terminal
	typing  []string // what is typed there, line by line
	last    int      // the shell's exit status then
	look    []string // command of the host that shows the container in the kernel; may be nil
}

// newContent is the image of the best programs that the host has, and why it
// isn't of better ones, nil if it is.
func newContent(bin string) (c *content, why, err error) {
	if _, err := os.Stat(rescue); err == nil {
		c, err := rescueContent()
		return c, nil, err
	}
	if c, why = hostContent(); why != nil {
		c, err = guestContent(bin)
	}
	return c, why, err
}

// wanted are the host's programs that go into the image.
var wanted = []string{"sh", "cat", "id", "ls", "sleep", "stty", "tty", "uname"}

// rescue is where FreeBSD has some 150 programs that need no library: one file
// with many names.
const rescue = "/rescue"

// rescueContent is an image of all of them.
func rescueContent() (*content, error) {
	files, err := linkedFiles(rescue, "/bin")
	if err != nil {
		return nil, err
	}
	files = append(files,
		image.File{Name: "/tmp", Mode: os.ModeDir | os.ModeSticky | 0o777},
		// The scripts among them name their shell by this path.
		image.File{Name: rescue, Link: "bin"},
	)
	return &content{
		what:  fmt.Sprintf("the %d programs in %s", len(files)-2, rescue),
		files: files,
		hello: []string{"sh", "-c", `echo "hello from a jail: $(hostname), $(id)"; ls /; exit 42`},
		service: []string{"sh", "-c", `trap 'echo stopping; exit 3' TERM; i=0; ` +
			`while :; do echo "alive for $i s"; echo $i >/tmp/seconds; sleep 1; i=$((i+1)); done`},
		status: 3,
		exec:   []string{"sh", "-c", `echo "process $$ sees that the service is at $(cat /tmp/seconds) s, and:"; ps -ax -o pid,jid,command`},
		shell:  []string{"sh"},
		typing: []string{"stty size", "ls /dev", "exit 7"},
		last:   7,
		look:   []string{"jls", "jid", "name", "path"},
	}, nil
}

// linkedFiles returns the regular files of a folder as files of the folder "to".
// Those that are one file there are one in the image.
func linkedFiles(dir, to string) ([]image.File, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	type inode struct{ dev, ino uint64 }
	first := map[inode]string{}
	var files []image.File
	for _, e := range entries {
		path, name := filepath.Join(dir, e.Name()), filepath.Join(to, e.Name())
		var st unix.Stat_t
		if err := unix.Stat(path, &st); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if st.Mode&unix.S_IFMT != unix.S_IFREG {
			continue
		}
		id := inode{uint64(st.Dev), uint64(st.Ino)} //nolint:unconvert // their types differ between systems
		if same, ok := first[id]; ok {
			files = append(files, image.File{Name: name, Same: same})
			continue
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		first[id] = name
		files = append(files, image.File{Name: name, Mode: os.FileMode(st.Mode) & 0o777, Data: data})
	}
	return files, nil
}

// hostContent is an image of a shell and some programs of the host, with the
// libraries that they are linked to.
func hostContent() (*content, error) {
	files, err := hostFiles(wanted)
	if err != nil {
		return nil, err
	}
	return &content{
		what:  strings.Join(wanted, ", ") + " and what they need",
		files: files,
		hello: []string{"sh", "-c", `echo "hello from a container: $(uname -sm), $(id)"; ls /; exit 42`},
		service: []string{"sh", "-c", `trap 'echo stopping; exit 3' TERM; i=0; ` +
			`while :; do echo "alive for $i s"; echo $i >/tmp/seconds; sleep 1; i=$((i+1)); done`},
		status: 3,
		exec:   []string{"sh", "-c", `echo "process $$ sees that the service is at $(cat /tmp/seconds) s"`},
		shell:  []string{"sh"},
		typing: []string{"tty", "stty size", "exit 7"},
		last:   7,
	}, nil
}

// guestContent is an image of the tests' own program, for a host without usable
// ones.
func guestContent(bin string) (*content, error) {
	guest, err := os.ReadFile(filepath.Join(bin, "test", "guest"))
	if err != nil {
		return nil, err
	}
	return &content{
		what:    "the test program guest",
		files:   image.Guest(guest),
		hello:   []string{"exit", "42"},
		service: []string{"hold"},
		status:  0,
		exec:    []string{"id"},
		shell:   []string{"tty"},
	}, nil
}

// hostFiles returns programs of the host as files in /bin, and the libraries that
// they need, where they expect them.
func hostFiles(names []string) ([]image.File, error) {
	files := map[string]image.File{}
	for _, name := range names {
		program, err := find(name)
		if err != nil {
			return nil, err
		}
		// Several names may be one program that looks at its name.
		own := "/bin/" + filepath.Base(program)
		if _, ok := files[own]; !ok {
			if err := add(files, own, program); err != nil {
				return nil, err
			}
			libraries, err := linked(program)
			if err != nil {
				return nil, err
			}
			for _, l := range libraries {
				if err := add(files, l, l); err != nil {
					return nil, err
				}
			}
		}
		if link := "/bin/" + name; link != own {
			files[link] = image.File{Name: link, Link: filepath.Base(own)}
		}
	}
	list := []image.File{{Name: "/tmp", Mode: os.ModeDir | os.ModeSticky | 0o777}}
	for _, f := range files {
		list = append(list, f)
	}
	return list, nil
}

// find returns the file of a program.
func find(name string) (string, error) {
	program, err := exec.LookPath(name)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(program)
}

func add(files map[string]image.File, name, from string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	files[name] = image.File{Name: name, Mode: 0o755, Data: data}
	return nil
}

// linked returns the libraries of a program and its dynamic linker, nil for a
// static program.
func linked(program string) (_ []string, retErr error) {
	f, err := elf.Open(program)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", program, err)
	}
	defer func() { retErr = errors.Join(retErr, f.Close()) }()
	interpreted := false
	for _, p := range f.Progs {
		interpreted = interpreted || p.Type == elf.PT_INTERP
	}
	if !interpreted {
		return nil, nil
	}
	out, err := exec.Command("ldd", program).Output()
	if err != nil {
		return nil, fmt.Errorf("ldd %s: %w", program, err)
	}
	return libraries(string(out))
}

// libraries returns the paths in what ldd prints, a line each:
//
//	linux-vdso.so.1 (0x00007ffe9d5e6000)
//	libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f2e5bc00000)
//	/lib64/ld-linux-x86-64.so.2 (0x00007f2e5bf2d000)
func libraries(ldd string) (paths []string, err error) {
	for line := range strings.Lines(ldd) {
		// A loader that is a link may stand on both sides of the arrow.
		for name := range strings.SplitSeq(strings.TrimSpace(line), " => ") {
			name, _, _ = strings.Cut(name, " (0x")
			switch {
			case filepath.IsAbs(name):
				paths = append(paths, filepath.Clean(name))
			case name == "not found":
				return nil, errors.New(strings.TrimSpace(line))
			}
		}
	}
	return paths, nil
}
