package jailctl

import "jailshim/jailctl/kernel"

// linuxProgram reports whether a program in the container's root is for Linux. One that
// can't be read is not.
func linuxProgram(root, program string) bool {
	f, err := openFile(root, program)
	if err != nil {
		return false
	}
	defer f.Close()
	return kernel.LinuxProgram(f)
}
