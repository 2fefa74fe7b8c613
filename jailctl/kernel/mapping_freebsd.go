package kernel

import (
	"fmt"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// TrimProgram takes the program out of the process's memory, so that only what is used of
// it from then on is there. It returns how many bytes of it were resident.
//
// To execute a program, the kernel maps all pages of its file that are in memory, be they
// used or not: each counts as resident, and costs the kernel an entry in the process's page
// table and one in its list of the page's users. Mapped by mmap(2), pages come when they
// are used. So the program is mapped again, in the same places; the kernel replaces a
// mapping in one step, and whoever uses it meanwhile waits. What can be written stays as it
// is, which also keeps the file from being changed (ETXTBSY).
//
// If the file that the program was started from has another one in its place by now, the
// process stays as it is, and the error wraps ENOENT.
//
// Source: __elfN(load_section), sys/kern/imgact_elf.c; vm_mmap_object, sys/vm/vm_mmap.c.
func TrimProgram() (int64, error) {
	b, err := readSysctl([]int32{ctlKern, kernProc, kernProcVMMap, int32(os.Getpid())}, mappingsGuess)
	if err != nil {
		return 0, fmt.Errorf("mappings: %w", err)
	}
	all, err := DecodeMappings(b)
	if err != nil {
		return 0, err
	}
	program := programOf(all, uint64(uintptr(unsafe.Pointer(unsafe.StringData(constant)))))
	if len(program) == 0 {
		return 0, nil
	}
	path, err := os.Executable()
	if err != nil {
		return 0, err
	}
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	var pages int64
	err = withFD(f, func(fd int) error {
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			return &os.PathError{Op: "stat", Path: path, Err: err}
		}
		if st.Dev != program[0].FSID || st.Ino != program[0].FileID {
			return newError("mmap", path, syscall.ENOENT)
		}
		for _, m := range program {
			if err := m.renew(fd); err != nil {
				return err
			}
			pages += int64(m.Resident)
		}
		return nil
	})
	return pages * int64(os.Getpagesize()), err
}

// constant is something in the part of the program that nothing is written to.
const constant = "in the program"

// mappingsGuess is a size in which the mappings of most processes fit.
const mappingsGuess = 32 << 10

// renew maps the file again.
func (m *Mapping) renew(fd int) error {
	prot := protRead
	if m.Exec {
		prot |= protExec
	}
	_, _, errno := unix.Syscall6(sysMmap, uintptr(m.Start), uintptr(m.End-m.Start), uintptr(prot), mapPrivate|mapFixed, uintptr(fd), uintptr(m.Offset))
	if errno != 0 {
		return newError("mmap", m.Path, errno)
	}
	return nil
}
