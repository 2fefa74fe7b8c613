package jailctl

import (
	"debug/elf"
	"os"
	"strings"
)

// linuxProgram reports whether a program in the container's root is for Linux. A
// program that can't be read or isn't ELF is not.
func linuxProgram(root, program string) bool {
	path, err := resolve(root, program)
	if err != nil {
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	e, err := elf.NewFile(f)
	if err != nil {
		return false
	}
	switch e.OSABI {
	case elf.ELFOSABI_LINUX:
		return true
	case elf.ELFOSABI_FREEBSD:
		return false
	}
	// As the kernel: the note of the GNU toolchain, then the interpreter.
	for _, s := range e.Sections {
		if s.Type == elf.SHT_NOTE && s.Name == ".note.ABI-tag" {
			if b, err := s.Data(); err == nil && strings.Contains(string(b), "GNU") {
				return true
			}
		}
	}
	for _, p := range e.Progs {
		if p.Type != elf.PT_INTERP {
			continue
		}
		if p.Filesz > maxInterp {
			return false // the size is the image's word, and no path is so long
		}
		b := make([]byte, p.Filesz)
		if _, err := p.ReadAt(b, 0); err == nil {
			interp := strings.TrimRight(string(b), "\x00")
			return strings.Contains(interp, "ld-linux") || strings.Contains(interp, "ld-musl")
		}
	}
	return false
}

// maxInterp is the longest path of an interpreter that the kernel takes (MAXPATHLEN).
const maxInterp = 1024
