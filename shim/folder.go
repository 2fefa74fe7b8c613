package shim

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	// foldersDir, in the state folder, holds a folder of each server. A
	// server's name is the name of its folder.
	foldersDir = "t"
	// socketFile, in a server's folder, is a symbolic link to its socket.
	socketFile = "socket"
	// lockFile, in a server's folder, is what a server holds locked: a process that
	// has a folder open can't enter a jail, and the server's children run hooks there.
	lockFile = "lock"
	// nameSeparator stands in a server's name between what tells its leader, the
	// container whose start made it, and what no other server has. No container's
	// id has it.
	nameSeparator = "~"
)

// folder is a server's folder for temporary files. It is the server's alone: a
// leader that is deleted and made anew may start a second server while the first
// one still serves others.
type folder struct {
	name   string // of the server
	dir    string
	unlock func()
}

// makeFolder makes the folder and locks it until this process ends. The libraries
// that honour XDG_RUNTIME_DIR use it, so that nothing of a killed server stays
// where nobody looks.
func makeFolder(state, namespace, leader, socket string) (*folder, error) {
	var unique [6]byte
	_, _ = rand.Read(unique[:]) // never fails
	f := &folder{name: namePrefix(namespace, leader) + hex.EncodeToString(unique[:])}
	f.dir = filepath.Join(state, foldersDir, f.name)
	if err := os.MkdirAll(filepath.Dir(f.dir), 0o700); err != nil {
		return nil, err
	}
	if err := os.Mkdir(f.dir, 0o700); err != nil {
		return nil, err
	}
	unlock, err := lock(filepath.Join(f.dir, lockFile), unix.O_RDWR|unix.O_CREAT, unix.LOCK_EX)
	if err == nil {
		f.unlock = unlock
		// The last step: a folder without it is not looked at, and so can't
		// be taken for a dead server's before it is locked.
		err = os.Symlink(socket, filepath.Join(f.dir, socketFile))
	}
	if err == nil {
		err = os.Setenv("XDG_RUNTIME_DIR", f.dir)
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(f.dir))
	}
	return f, nil
}

func namePrefix(namespace, leader string) string {
	return leaderDigest(namespace, leader) + nameSeparator
}

func leaderDigest(namespace, leader string) string {
	return digest(12, filepath.Join(namespace, leader))
}

// Servers returns the names of the servers that leader started, as far as they
// live or have left something.
func Servers(state, namespace, leader string) []string {
	// What can't be read holds nothing that could be removed.
	entries, _ := os.ReadDir(filepath.Join(state, foldersDir))
	var out []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), namePrefix(namespace, leader)) {
			continue
		}
		if _, err := os.Lstat(filepath.Join(state, foldersDir, e.Name(), socketFile)); err == nil {
			out = append(out, e.Name())
		}
	}
	return out
}

// serverDir returns the folder of a server by its name. At first servers had the
// id of their leader for a name, and a folder to match.
func serverDir(state, namespace, name string) string {
	if !strings.Contains(name, nameSeparator) {
		name = leaderDigest(namespace, name)
	}
	return filepath.Join(state, foldersDir, name)
}

// ServerSocket returns the socket of the server with this name, if it still
// listens there, else an empty string. Whether another one listens there by now
// is not to be seen if the name is only its leader's id.
func ServerSocket(state, namespace, name string) string {
	dir := serverDir(state, namespace, name)
	socket, err := os.Readlink(filepath.Join(dir, socketFile))
	if err != nil {
		return ""
	}
	if strings.Contains(name, nameSeparator) {
		unlock, err := lock(filepath.Join(dir, lockFile), unix.O_RDWR, unix.LOCK_SH|unix.LOCK_NB)
		switch {
		case errors.Is(err, syscall.ENOENT):
			return "" // it is just being removed
		case err == nil:
			unlock()
			return "" // it would hold the lock
		case errors.Is(err, syscall.EWOULDBLOCK):
			return socket // also if it is too busy to accept anybody
		}
	}
	if err := socketAddress(socket).dial(); errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ENOENT) {
		return ""
	}
	return socket
}

// RemoveServer removes the socket and the temporary files of the server with this
// name, which must be dead. There may be none, and the socket may be another
// one's by now.
func RemoveServer(state, namespace, name string) error {
	dir := serverDir(state, namespace, name)
	var err error
	if socket, lerr := os.Readlink(filepath.Join(dir, socketFile)); lerr == nil {
		err = socketAddress(socket).removeDead()
	}
	return errors.Join(err, os.RemoveAll(dir))
}
