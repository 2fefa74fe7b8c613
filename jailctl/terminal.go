package jailctl

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"jailshim/jailctl/kernel"
	"jailshim/jailctl/plan"
)

// terminal is a pseudo terminal of the host. One that were made in the jail
// would keep the jail from going away.
type terminal struct{ master, slave *os.File }

// slaveMode lets the owner use the terminal, and the group tty write to it.
const slaveMode = 0o620

func openTerminal(p *plan.Process) (_ *terminal, retErr error) {
	master, path, err := kernel.OpenPTY()
	if err != nil {
		return nil, fmt.Errorf("make a terminal: %w", err)
	}
	defer func() {
		if retErr != nil {
			master.Close()
		}
	}()
	slave, err := os.OpenFile(path, os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	err = slave.Chown(p.UID, -1)
	if err == nil {
		err = slave.Chmod(slaveMode)
	}
	if err == nil && (p.Rows != 0 || p.Cols != 0) {
		err = kernel.SetWinsize(master, p.Rows, p.Cols)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("terminal %s: %w", path, err), slave.Close())
	}
	return &terminal{master, slave}, nil
}
