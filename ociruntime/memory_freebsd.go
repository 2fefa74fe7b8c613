package ociruntime

import (
	"log/slog"

	"jailshim/jailctl/kernel"
)

// memoryKills returns what tells whether a process that has ended was killed by the
// limit of memory of the jail in which init is.
func memoryKills(init int) func(pid int, limit uint64) bool {
	p, err := kernel.ProcessByID(init)
	if err != nil {
		slog.Warn("no notice of kills for want of memory", "pid", init, "error", err)
		return nil
	}
	jid := p.Jid
	return func(pid int, limit uint64) bool {
		p, err := kernel.ProcessByID(pid)
		return err == nil && p.Jid == jid && p.KilledForMemory(limit, func() ([]kernel.Process, error) { return kernel.ProcessesIn(jid) })
	}
}
