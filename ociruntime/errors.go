package ociruntime

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
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
		if msg := lastError(log); msg != "" {
			return fmt.Errorf("OCI runtime %s: %s", verb, msg)
		}
	}
	return fmt.Errorf("OCI runtime %s: %w", verb, err)
}

// lastError returns the last message at level error or worse of a log in JSON
// lines, or an empty string.
func lastError(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	var last string
	s := bufio.NewScanner(f)
	s.Buffer(nil, maxLogLine)
	for s.Scan() {
		var entry struct {
			Level string `json:"level"`
			Msg   string `json:"msg"`
		}
		if json.Unmarshal(s.Bytes(), &entry) != nil {
			continue
		}
		switch entry.Level {
		case "error", "fatal", "panic":
			last = entry.Msg
		}
	}
	return last
}
