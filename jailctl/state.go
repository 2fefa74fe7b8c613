package jailctl

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"jailshim/internal/lazyjson"
	"jailshim/internal/wholefile"
	"jailshim/jailctl/kernel"
)

// State is what is on disk of a container: all that is needed to remove it. It
// is written before anything of the container exists, and names everything that
// is going to: the jail and its rules by name, its mounts by the folders that
// hold them.
type State struct {
	Version   int    // of this format: stateVersion
	Namespace string // empty under the OCI command
	ID        string
	Bundle    string

	Jail   string   // full name of the jail
	Root   string   // the jail's root, without symbolic links
	Mounts []string // folders: every mount on or below them is the container's
	// Attached tells that its init waits for its maker, and not on a socket with a name.
	Attached bool
	// OwnRoot tells that the root was mounted for the container, so that no other has it.
	OwnRoot bool
	// Others are mounts there that are not: the root of an OCI bundle is mounted
	// by whoever made the bundle, who goes on using it. (Of containers that share a root
	// each has the others' mounts, too: the last one removes them.)
	Others []kernel.FSID

	// Owner is the process that makes or serves the container, Boot the id of
	// the boot of which it is.
	Owner ProcessID
	Boot  string

	Created                             time.Time // zero until the init is ready
	Hooked                              bool      // hooks may have run; those of poststop are due in the end
	Paused                              bool
	JID                                 int // 0 until the jail is made
	Init                                ProcessID
	Stopped                             []int  // processes that had been stopped before a pause
	Memory                              uint64 // limit in bytes; 0 is none
	Pids                                uint64 // limit; 0 is none
	Quota, Period                       uint64 // of processor time; see plan.Limits
	Loopback                            bool   // it has a network stack of its own
	Network                             NetworkState
	Annotations                         map[string]string
	StartContainer, Poststart, Poststop []specs.Hook

	Umask *uint32 // of the init; nil: the default
}

// ProcessID is a process that is told from a later one of the same pid.
type ProcessID struct {
	Pid   int
	Start time.Duration // since the boot: what the kernel adds to it moves when the clock is set
}

const (
	stateVersion = 1
	stateFile    = "state.json"
	rootFolder   = "root" // in the container's folder: the read-only view of its root
	resolverFile = "resolv.conf"
)

// store is the folder that holds a folder for each container.
type store string

func (s store) folder(name string) string { return filepath.Join(string(s), name) }

// socketFolder holds the sockets on which first stages wait. The path of a socket
// is at most 103 bytes long, which a container's folder may exceed.
const socketFolder = "/var/run/jailshim/start"

// goSocket is where the init's first stage waits, if its maker does not start it.
func (s store) goSocket(name string) string {
	sum := sha256.Sum256([]byte(s.folder(name)))
	return filepath.Join(socketFolder, hex.EncodeToString(sum[:10]))
}

// save brings the state to disk, unless it is there.
func (k *Container) save() error {
	k.saving.Lock()
	defer k.saving.Unlock()
	k.mu.Lock()
	b, err := lazyjson.Marshal(&k.state)
	k.mu.Unlock()
	if err != nil || bytes.Equal(b, k.saved) {
		return err
	}
	if err := k.rt.store.write(k.name, b); err != nil {
		return err
	}
	k.saved = b
	return nil
}

// write replaces the state on disk. It is not synced: what it describes does not
// outlive a crash of the machine either.
func (s store) write(name string, b []byte) error {
	return wholefile.Write(filepath.Join(s.folder(name), stateFile), b, 0o600)
}

// reserve makes the container's folder. One that is there already is an error
// wrapping errdefs.ErrAlreadyExists.
func (s store) reserve(name string) error {
	if err := os.MkdirAll(string(s), 0o711); err != nil {
		return err
	}
	err := os.Mkdir(s.folder(name), 0o700)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("its folder %s is there: %w", s.folder(name), errdefs.ErrAlreadyExists)
	}
	return err
}

// read returns a container's state. None is an error wrapping
// errdefs.ErrNotFound, as is a folder whose state was not yet written.
func (s store) read(name string) (*State, error) {
	file := filepath.Join(s.folder(name), stateFile)
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("container %q: %w", name, errdefs.ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	st := new(State)
	if err := lazyjson.Unmarshal(b, st); err != nil {
		return nil, fmt.Errorf("state %s: %w", file, err)
	}
	if st.Version != stateVersion {
		return nil, fmt.Errorf("state %s has version %d, and this program knows %d: %w", file, st.Version, stateVersion, errdefs.ErrFailedPrecondition)
	}
	return st, nil
}

// names returns the containers' folders.
func (s store) names() ([]string, error) {
	entries, err := os.ReadDir(string(s))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	return names, err
}

// remove takes away what there may be of the container here.
func (s store) remove(name string) error {
	return errors.Join(removed(s.goSocket(name), unix.Unlink), s.removeFolder(name))
}

// removeFolder takes the container's folder away; that it is not there is no error.
// Nothing may be mounted below it: only files that a runtime makes are removed,
// never a tree.
func (s store) removeFolder(name string) error {
	dir := s.folder(name)
	for _, part := range []struct {
		path   string
		remove func(path string) error
	}{
		{filepath.Join(dir, resolverFile), unix.Unlink},
		{filepath.Join(dir, rootFolder), unix.Rmdir},
		{filepath.Join(dir, stateFile), wholefile.Remove},
		{dir, unix.Rmdir},
	} {
		if err := removed(part.path, part.remove); err != nil {
			return err
		}
	}
	return nil
}

// removed makes sure that nothing has a path any more.
func removed(path string, remove func(path string) error) error {
	if err := remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove %s: %w", path, err)
	}
	return nil
}

// young reports whether a container's folder was made just now.
func (s store) young(name string) bool {
	fi, err := os.Stat(s.folder(name))
	return err == nil && time.Since(birth(fi)) < youth
}

// youth is how long a folder may be without a state before its maker is taken
// for dead.
const youth = 10 * time.Second
