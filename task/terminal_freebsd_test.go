package task

import (
	"os"

	"jailshim/jailctl/kernel"
)

// openMaster makes a terminal and returns its master.
func openMaster() (*os.File, error) {
	master, _, err := kernel.OpenPTY()
	return master, err
}
