package kernel

import (
	"errors"
	"syscall"
)

// LoadModule loads a kernel module, by its name as in kldload(8). One that is loaded
// or built in is no error. ENOENT: there is no such module. EPERM: not root, in a
// jail, or the securelevel is above 0.
func LoadModule(name string) error {
	err := kldload(name)
	if errors.Is(err, syscall.EEXIST) {
		return nil
	}
	return err
}

// HasModule tells whether a module is loaded or built in, by its own name, which
// may differ from that of its file: linux64elf is in linux64.ko.
func HasModule(name string) bool { return modfind(name) == nil }
