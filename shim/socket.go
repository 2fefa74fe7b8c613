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
// error wrapping EADDRINUSE. The folder must be there.
func (a socketAddress) listen() (*net.UnixListener, error) {
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

// dial returns nil if a server listens there, also one that is too busy to
// accept. The error wraps ECONNREFUSED if nobody listens at the socket, ENOENT
// if there is none; any other says nothing about the server.
func (a socketAddress) dial() error {
	c, err := net.DialTimeout("unix", string(a), time.Second)
	if err == nil {
		c.Close()
		return nil
	}
	var late net.Error
	if errors.As(err, &late) && late.Timeout() {
		return nil // its queue is full
	}
	return err
}

// lock keeps all others who might bind or remove a socket of the folder from
// doing so. A socket that is bound refuses, until it is listened at, as a dead
// one does; and of two who find a dead one, the second would remove what the
// first has put in its place. Only a server's own end needs no lock: the server
// removes its socket while it still listens there, so that nobody else does.
func (a socketAddress) lock() (unlock func(), err error) {
	return lockFolder(filepath.Dir(string(a)))
}

// listenOrJoin binds the socket, or finds that the group's server already
// listens there (nil listener). A socket that nobody answers is left from a
// server that died, and is replaced.
func (a socketAddress) listenOrJoin() (*net.UnixListener, error) {
	if err := os.MkdirAll(filepath.Dir(string(a)), 0o700); err != nil {
		return nil, err
	}
	unlock, err := a.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	l, err := a.listen()
	if !errors.Is(err, syscall.EADDRINUSE) {
		return l, err
	}
	gone, err := a.removeDeadLocked()
	if err != nil {
		return nil, fmt.Errorf("replace dead socket: %w", err)
	}
	if !gone {
		return nil, nil
	}
	return a.listen()
}

// removeDead removes the socket if it is there and nobody listens.
func (a socketAddress) removeDead() error {
	unlock, err := a.lock()
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unlock()
	_, err = a.removeDeadLocked()
	return err
}

// removeDeadLocked also reports whether there is no socket any more.
func (a socketAddress) removeDeadLocked() (gone bool, err error) {
	switch err := a.dial(); {
	case err == nil:
		return false, nil
	case errors.Is(err, syscall.ENOENT):
		return true, nil
	case !errors.Is(err, syscall.ECONNREFUSED):
		return false, err
	}
	if err := os.Remove(string(a)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return false, err
	}
	return true, nil
}
