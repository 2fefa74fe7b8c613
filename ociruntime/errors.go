package ociruntime

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	"github.com/containerd/errdefs"
)

// maxLogLine bounds a line of the command's log, in bytes. A longer one ends the
// reading; what came before it still counts.
const maxLogLine = 1 << 20

// explain adds to the failure of a verb the last error of the command's log,
// which says more than its exit status.
func explain(verb, log string, err error) error {
	if err == nil {
		return nil
	}
	if log != "" {
		if said := lastError(log); said != nil {
			return fmt.Errorf("OCI runtime %s: %w", verb, said)
		}
	}
	return fmt.Errorf("OCI runtime %s: %w", verb, err)
}

// logged is an error that a command has logged.
type logged struct {
	Level string `json:"level"`
	Msg   string `json:"msg"`
	Class string `json:"class"` // only jailctl tells it
}

func (l *logged) Error() string { return l.Msg }

// Unwrap returns the error's class, or nil.
func (l *logged) Unwrap() error {
	for _, class := range []error{
		errdefs.ErrAlreadyExists, errdefs.ErrConflict, errdefs.ErrFailedPrecondition, errdefs.ErrInvalidArgument,
		errdefs.ErrNotFound, errdefs.ErrNotImplemented, errdefs.ErrPermissionDenied, errdefs.ErrResourceExhausted, errdefs.ErrUnavailable,
	} {
		if l.Class == class.Error() {
			return class
		}
	}
	return nil
}

// lastError returns the last message at level error or worse of a log in JSON
// lines, or nil.
func lastError(path string) *logged {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	var last *logged
	s := bufio.NewScanner(f)
	s.Buffer(nil, maxLogLine)
	for s.Scan() {
		entry := new(logged)
		if json.Unmarshal(s.Bytes(), entry) != nil || entry.Msg == "" {
			continue
		}
		switch entry.Level {
		case "error", "fatal", "panic":
			last = entry
		}
	}
	return last
}
