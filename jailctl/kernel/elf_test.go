package kernel

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
)

// part of a program that a test makes: the contents of a segment.
type elfPart struct {
	kind uint32
	text string
}

// program makes an ELF file with the parts, behind a gap of so many bytes.
func program(class, abi byte, gap int, parts ...elfPart) []byte {
	l, _ := layout(class)
	size := map[byte]int{class32: 32, class64: 56}[class]
	head := make([]byte, l.end+size*len(parts))
	copy(head, elfMagic)
	head[offClass], head[offData], head[offOSABI] = class, littleData, abi
	address := func(at int, v int) {
		if l.address == 8 {
			le.PutUint64(head[at:], uint64(v))
		} else {
			le.PutUint32(head[at:], uint32(v))
		}
	}
	address(l.headers, l.end)
	le.PutUint16(head[l.headerSize:], uint16(size))
	le.PutUint16(head[l.count:], uint16(len(parts)))
	var rest []byte
	for i, p := range parts {
		at := l.end + i*size
		le.PutUint32(head[at:], p.kind)
		address(at+l.offset, len(head)+gap+len(rest))
		address(at+l.size, len(p.text))
		rest = append(rest, p.text...)
	}
	return append(append(head, make([]byte, gap)...), rest...)
}

// note makes a note with a name, a type and a description.
func note(name string, kind uint32, description string) string {
	pad := func(s string) string { return s + strings.Repeat("\x00", -len(s)&3) }
	var b []byte
	b = binary.LittleEndian.AppendUint32(b, uint32(len(name)))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(description)))
	b = binary.LittleEndian.AppendUint32(b, kind)
	return string(b) + pad(name) + pad(description)
}

func TestLinuxProgram(t *testing.T) {
	gnu := note("GNU\x00", 1, strings.Repeat("\x00", 16))
	build := note("GNU\x00", 3, "0123456789")
	hurd := note("GNU\x00", 1, "\x01"+strings.Repeat("\x00", 15))
	freebsd := note("FreeBSD\x00", 1, "\x00\x01\x02\x03")
	interp := func(path string) elfPart { return elfPart{segmentInterp, path + "\x00"} }
	notes := func(s ...string) elfPart { return elfPart{segmentNote, strings.Join(s, "")} }
	for _, tt := range []struct {
		name  string
		abi   byte
		parts []elfPart
		want  bool
	}{
		{"nothing", 0, nil, false},
		{"its ABI", abiLinux, nil, true},
		{"another ABI", abiFreeBSD, []elfPart{interp("/lib64/ld-linux-x86-64.so.2")}, false},
		{"glibc's note", 0, []elfPart{{1, "x"}, notes(gnu)}, true},
		{"after another note", 0, []elfPart{notes(build, gnu)}, true},
		{"in the second segment", 0, []elfPart{notes(build), notes(gnu)}, true},
		{"the note counts more", abiFreeBSD, []elfPart{notes(gnu)}, true},
		{"FreeBSD's note", abiLinux, []elfPart{notes(freebsd), interp("/lib/ld-musl-x86_64.so.1")}, false},
		{"of Hurd", 0, []elfPart{notes(hurd)}, false},
		{"a note without an end", 0, []elfPart{notes(gnu[:20])}, false},
		{"a long note", 0, []elfPart{notes(strings.Repeat(build, elfPage/len(build)), gnu)}, false},
		{"musl", 0, []elfPart{interp("/lib/ld-musl-x86_64.so.1")}, true},
		{"glibc", 0, []elfPart{interp("/lib64/ld-linux-x86-64.so.2")}, true},
		{"FreeBSD's linker", 0, []elfPart{interp("/libexec/ld-elf.so.1")}, false},
		{"a long interpreter", 0, []elfPart{interp(strings.Repeat("/ld-linux", maxInterp))}, false},
	} {
		for _, class := range []byte{class32, class64} {
			for _, gap := range []int{0, 3 * elfPage} {
				if got := LinuxProgram(bytes.NewReader(program(class, tt.abi, gap, tt.parts...))); got != tt.want {
					t.Errorf("%s, class %d, gap %d: %v, want %v", tt.name, class, gap, got, tt.want)
				}
			}
		}
	}
}

// Real programs, as far as they are at hand: FreeBSD's have its note or ABI, those of a
// Linux distribution the GNU note.
func TestLinuxProgram_OfTheSystem(t *testing.T) {
	path, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got := LinuxProgram(f); got != (runtime.GOOS == "linux") {
		t.Errorf("%s: %v on %s", path, got, runtime.GOOS)
	}
}

func FuzzLinuxProgram(f *testing.F) {
	f.Add([]byte("#!/bin/sh\n"))
	f.Add(program(class64, 0, 8, elfPart{segmentNote, note("GNU\x00", 1, strings.Repeat("\x00", 16))}, elfPart{segmentInterp, "/lib/ld-linux.so\x00"}))
	f.Add(program(class32, abiLinux, 0, elfPart{segmentInterp, "/x\x00"}))
	f.Fuzz(func(t *testing.T, b []byte) {
		// All that it may say of what is no ELF file is no.
		if LinuxProgram(bytes.NewReader(b)) && !bytes.HasPrefix(b, []byte(elfMagic)) {
			t.Errorf("%q is a program for Linux", b)
		}
	})
}
