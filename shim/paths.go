package shim

import (
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
)

// StateRoot is the folder below which all state lives. It need not survive a
// boot of the host.
const StateRoot = "/var/run/jailshim"

// StateDir returns the folder for the state of all containers of the
// containerd that listens on address.
func StateDir(address string) string {
	return filepath.Join(StateRoot, digest(12, address))
}

// digest returns the first n hexadecimal digits of the SHA-256 of s.
func digest(n int, s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])[:n]
}
