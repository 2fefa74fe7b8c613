package kernel

import (
	"bytes"
	"errors"
	"io"
	"strings"
)

// Of sys/sys/elf_common.h, elf64.h and elf32.h.
const (
	elfMagic   = "\x7fELF"
	elfPage    = 4096 // PAGE_SIZE: the kernel wants headers within the first one, and no longer notes
	elfIdent   = 16   // EI_NIDENT
	offClass   = 4    // EI_CLASS
	offData    = 5    // EI_DATA
	offOSABI   = 7    // EI_OSABI
	class32    = 1    // ELFCLASS32
	class64    = 2    // ELFCLASS64
	littleData = 1    // ELFDATA2LSB

	abiLinux   = 3 // ELFOSABI_LINUX
	abiFreeBSD = 9 // ELFOSABI_FREEBSD

	segmentInterp = 3 // PT_INTERP
	segmentNote   = 4 // PT_NOTE

	noteHead   = 12 // sizes of name and description, type
	noteABI    = 1  // NT_GNU_ABI_TAG, NT_FREEBSD_ABI_TAG
	maxInterp  = 1024
	maxHeaders = elfPage / 32
)

// elfLayout is where things are in a file of one class, and how long an address is.
type elfLayout struct {
	headers, headerSize, count, end int // in the file's header
	offset, size                    int // in a program header
	address                         int
}

// layout returns that of a class, and whether there is such a class.
func layout(class byte) (elfLayout, bool) {
	switch class {
	case class32:
		return elfLayout{28, 42, 44, 52, 4, 16, 4}, true
	case class64:
		return elfLayout{32, 54, 56, 64, 8, 32, 8}, true
	}
	return elfLayout{}, false
}

// segment is what a program header tells.
type segment struct {
	kind         uint32
	offset, size uint64
}

// LinuxProgram reports whether a program has the brand of Linux, as the kernel looks for
// it: the ABI note of the GNU toolchain, the header's ABI, or else the interpreter. What
// can't be read or isn't ELF has none, nor have programs without a note that need no
// interpreter. The file may be anybody's: no more than a page is read at a time.
//
// Source: __elfN(get_brandinfo) in sys/kern/imgact_elf.c, the brands in
// sys/amd64/linux/linux_sysvec.c.
func LinuxProgram(r io.ReaderAt) bool {
	head := readSome(r, 0, elfPage)
	segments := elfSegments(head)
	for _, s := range segments {
		if s.kind == segmentNote && s.size <= elfPage {
			switch noteBrand(readSome(r, s.offset, s.size)) {
			case abiLinux:
				return true
			case abiFreeBSD:
				return false
			}
		}
	}
	if segments == nil || head[offOSABI] == abiFreeBSD {
		return false
	}
	if head[offOSABI] == abiLinux {
		return true
	}
	for _, s := range segments {
		if s.kind == segmentInterp && s.size <= maxInterp {
			interp := string(readSome(r, s.offset, s.size))
			return strings.Contains(interp, "ld-linux") || strings.Contains(interp, "ld-musl")
		}
	}
	return false
}

// readSome reads up to size bytes at an offset.
func readSome(r io.ReaderAt, offset, size uint64) []byte {
	b := make([]byte, size)
	n, err := r.ReadAt(b, int64(offset&^(1<<63))) //nolint:gosec // no file is so long
	if err != nil && !errors.Is(err, io.EOF) {
		return nil
	}
	return b[:n]
}

// elfSegments returns what the program headers within a file's first page tell; nil if
// it is no ELF file.
func elfSegments(head []byte) []segment {
	if len(head) < elfIdent || !bytes.HasPrefix(head, []byte(elfMagic)) || head[offData] != littleData {
		return nil
	}
	l, ok := layout(head[offClass])
	if !ok || len(head) < l.end {
		return nil
	}
	address := func(b []byte, at int) uint64 {
		if l.address == 8 {
			return le.Uint64(b[at:])
		}
		return uint64(le.Uint32(b[at:]))
	}
	at, size, count := address(head, l.headers), int(le.Uint16(head[l.headerSize:])), int(le.Uint16(head[l.count:]))
	segments := make([]segment, 0, min(count, maxHeaders))
	if size < l.size+l.address || at > uint64(len(head)) {
		return segments
	}
	for b := head[at:]; count > 0 && len(b) >= size; b, count = b[size:], count-1 {
		segments = append(segments, segment{le.Uint32(b), address(b, l.offset), address(b, l.size)})
	}
	return segments
}

// noteBrand returns the ABI that the notes of a segment tell, or 0.
func noteBrand(b []byte) byte {
	round := func(n uint32) int { return (int(n) + 3) &^ 3 }
	for len(b) >= noteHead {
		nameSize, size, kind := le.Uint32(b), le.Uint32(b[4:]), le.Uint32(b[8:])
		b = b[noteHead:]
		if nameSize > elfPage || size > elfPage || round(nameSize)+round(size) > len(b) {
			return 0
		}
		name, description := string(b[:nameSize]), b[round(nameSize):][:size]
		b = b[round(nameSize)+round(size):]
		switch {
		case kind != noteABI:
		case name == "GNU\x00" && size == 16 && le.Uint32(description) == 0: // of Linux, not of Hurd
			return abiLinux
		case name == "FreeBSD\x00" && size == 4:
			return abiFreeBSD
		}
	}
	return 0
}
