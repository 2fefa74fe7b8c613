package task

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"jailshim/internal/lazyjson"
	"jailshim/internal/wholefile"
	"jailshim/options"
)

// record is what a later process needs to know to remove a container whose
// shim is gone. It is on disk before anything else of the container exists, and
// is removed after everything else.
type record struct {
	Namespace string          `json:"namespace"`
	ID        string          `json:"id"`
	Bundle    string          `json:"bundle"`
	Shim      string          `json:"shim"` // name of the shim that serves it
	Options   options.Options `json:"options"`
	Exit      *exit           `json:"exit,omitempty"` // of the init, once it was seen; see writeExit
}

// exit is how a process ended.
type exit struct {
	Status int       `json:"status"` // exit code, or 128 + signal
	At     time.Time `json:"at"`
}

const (
	// recordsDir, in the state folder, holds the records of all namespaces. It
	// stays when the last one goes: a folder that comes and goes can go between
	// two steps of somebody else.
	recordsDir = "containers"
	// recordSuffix ends the name of every record's file.
	recordSuffix = ".json"
	// recordSeparator stands between namespace and id, in neither of which it
	// is allowed.
	recordSeparator = "~"
)

func recordPath(stateDir, namespace, id string) string {
	return filepath.Join(stateDir, recordsDir, namespace+recordSeparator+id+recordSuffix)
}

// write replaces the record on disk: a reader sees the old or the new one. It
// need not survive a crash of the host, after which nothing of the container is
// left, so it is not synced.
func (r *record) write(stateDir string) error {
	path := recordPath(stateDir, r.Namespace, r.ID)
	b, err := lazyjson.Marshal(r)
	if err != nil {
		return err
	}
	b = append(b, '\n')
	err = wholefile.Write(path, b, 0o600)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return wholefile.Write(path, b, 0o600)
}

// writeExit adds the exit of the init to the record on disk, as a line of its own.
func (r *record) writeExit(stateDir string, x exit) error {
	b, err := lazyjson.Marshal(&x)
	if err != nil {
		return err
	}
	return wholefile.Append(recordPath(stateDir, r.Namespace, r.ID), append(b, '\n'))
}

// remove deletes the record. One that is gone is not an error.
func (r *record) remove(stateDir string) error {
	return wholefile.Remove(recordPath(stateDir, r.Namespace, r.ID))
}

// readRecord returns a record, or an error wrapping fs.ErrNotExist.
func readRecord(stateDir, namespace, id string) (*record, error) {
	path := recordPath(stateDir, namespace, id)
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var r record
	line, rest, _ := bytes.Cut(b, []byte{'\n'})
	if err := lazyjson.Unmarshal(line, &r); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	// The exit that is not there as a whole is not known.
	if line, _, ok := bytes.Cut(rest, []byte{'\n'}); ok {
		r.Exit = new(exit)
		if err := lazyjson.Unmarshal(line, r.Exit); err != nil {
			return nil, fmt.Errorf("%s: exit: %w", path, err)
		}
	}
	return &r, nil
}

// listRecords returns the records of a namespace. One that vanishes meanwhile is
// left out.
func listRecords(stateDir, namespace string) ([]*record, error) {
	entries, err := os.ReadDir(filepath.Join(stateDir, recordsDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []*record
	for _, e := range entries {
		id, ok := strings.CutSuffix(e.Name(), recordSuffix)
		if !ok {
			continue
		}
		if id, ok = strings.CutPrefix(id, namespace+recordSeparator); !ok {
			continue
		}
		r, err := readRecord(stateDir, namespace, id)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}
