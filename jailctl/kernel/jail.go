package kernel

import (
	"errors"
	"fmt"
	"os"
)

// Jail is a handle on a jail: a descriptor since FreeBSD 15.0, which stays with
// the jail when its id is used again, and the id alone before. Its methods are
// safe for concurrent use.
type Jail struct {
	ID   int
	Name string // relative to the jail of the process that opened it; empty after [JailFromFile]

	// file owns the jail descriptor; nil where there is none.
	file *os.File
}

// JailState is where a jail is in its life.
type JailState int

// The states of a jail. A removed jail is dying until nothing refers to it any
// more: unreaped processes, open files and sockets do.
const (
	JailGone JailState = iota
	JailDying
	JailAlive
)

// String returns the state in a word.
func (s JailState) String() string {
	switch s {
	case JailGone:
		return "gone"
	case JailDying:
		return "dying"
	case JailAlive:
		return "alive"
	}
	return fmt.Sprintf("state %d", int(s))
}

// JailInfo is a jail as [Jails] lists it.
type JailInfo struct {
	ID     int
	Name   string // relative to the calling process's jail: its children have a name without dots
	Path   string // of its root, on the calling process's file system
	Dying  bool
	Parent int // id; 0 is the calling process's jail
}

// JailFromFile makes a handle from what a process was handed: the file that
// another process's [Jail.File] became, or the id alone if f is nil. The Jail owns
// f from now on. Nothing is checked.
func JailFromFile(f *os.File, jid int) *Jail {
	return &Jail{ID: jid, file: f}
}

// File returns the jail descriptor, for passing it to a child process; nil
// before FreeBSD 15.0. It stays the Jail's, and open until [Jail.Close].
func (j *Jail) File() *os.File { return j.file }

// Close closes the descriptor; the jail stays. A second call does nothing. The
// other methods fail afterwards, except where there is no descriptor.
func (j *Jail) Close() error {
	if j.file == nil {
		return nil
	}
	if err := j.file.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return fmt.Errorf("close %s: %w", j.object(), err)
	}
	return nil
}

// object names the jail in errors.
func (j *Jail) object() string {
	if j.Name == "" {
		return jidObject(j.ID)
	}
	return nameObject(j.Name)
}

func nameObject(name string) string { return fmt.Sprintf("jail %q", name) }

func jidObject(jid int) string { return fmt.Sprintf("jail %d", jid) }

// newJailObject names a jail that is about to be made, by its parameters.
func newJailObject(params []Param) string {
	for _, p := range params {
		if p.Name == "name" {
			return nameObject(DecodeString(p.Value))
		}
	}
	return "new jail"
}
