package kernel

import (
	"testing"

	"jailshim/internal/captured"
)

// The vectors. A file that is in the folder and not here, or the other way round,
// fails TestVectors_AreThoseTested.
const (
	vectorDevRule   = "devfs_rule-rapply-unhide-mem"
	vectorMounts    = "getfsstat-jail-mounts"
	vectorIPv4      = "jail_get-ip4.addr"
	vectorProcesses = "kern.proc.proc"
	vectorJailed    = "kern.proc.pid-jailed"
	vectorKilled    = "kern.proc.pid-oomkilled-zombie"
	vectorUsage     = "rctl-get_racct"
	vectorPTY       = "pty-TIOCGPTN"
	vectorMappings  = "kern.proc.vmmap"

	// fileParams is a list, without bytes.
	fileParams = "security.jail.param.txt"
)

var vectors = []string{
	vectorDevRule, vectorMounts, vectorIPv4, vectorProcesses, vectorJailed, vectorKilled, vectorUsage, vectorPTY, vectorMappings,
}

// A vector that nobody reads, or one that went missing, must not pass as tested.
func TestVectors_AreThoseTested(t *testing.T) {
	captured.ExpectAll(t, vectors, fileParams)
}
