package shim

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// DefaultSocketDir is where sockets go when containerd names no other folder.
// It is containerd's own default on every system but Linux, where it is the
// same folder by its other name.
const DefaultSocketDir = "/var/run/containerd/s"

// maxSocketPath is the longest socket path that all supported systems take:
// sun_path has 104 bytes on FreeBSD, and Go keeps one for the NUL.
const maxSocketPath = 103

// socketAddress is the path of a shim's socket.
type socketAddress string

// newSocketAddress returns the socket of the group in the namespace of the
// containerd at address. The name is a hash, so neither can make it too long;
// dir can.
func newSocketAddress(dir, address, namespace, group string) (socketAddress, error) {
	if dir == "" {
		dir = DefaultSocketDir
	}
	path := filepath.Join(dir, digest(64, filepath.Join(address, namespace, group)))
	if len(path) > maxSocketPath {
		return "", fmt.Errorf("socket %s: %d bytes, %d are allowed: set a shorter socket_dir in containerd's configuration", path, len(path), maxSocketPath)
	}
	return socketAddress(path), nil
}

// url returns the address as containerd writes it.
func (a socketAddress) url() string { return "unix://" + string(a) }

// listen binds the socket, readable by the owner only. An address in use is an
// error wrapping EADDRINUSE.
func (a socketAddress) listen() (*net.UnixListener, error) {
	if err := os.MkdirAll(filepath.Dir(string(a)), 0o700); err != nil {
		return nil, err
	}
	// The mode is right from the start: nobody can connect in between.
	old := syscall.Umask(0o177)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: string(a), Net: "unix"})
	syscall.Umask(old)
	if err != nil {
		return nil, err
	}
	// The server owns the socket from now on; closing our copy must leave it.
	l.SetUnlinkOnClose(false)
	return l, nil
}

// alive reports whether a server accepts connections there.
func (a socketAddress) alive() bool {
	c, err := net.DialTimeout("unix", string(a), time.Second)
	if err != nil {
		return false
	}
	c.Close()
	return true
}

// listenOrJoin binds the socket, or finds that the group's server already
// listens there (nil listener). A socket file that nobody answers is left from
// a server that died, and is replaced.
func (a socketAddress) listenOrJoin() (*net.UnixListener, error) {
	for range 2 {
		l, err := a.listen()
		if err == nil || !errors.Is(err, syscall.EADDRINUSE) {
			return l, err
		}
		if a.alive() {
			return nil, nil
		}
		if err := os.Remove(string(a)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("replace dead socket: %w", err)
		}
	}
	return nil, fmt.Errorf("socket %s: taken by another process between two attempts", a)
}
