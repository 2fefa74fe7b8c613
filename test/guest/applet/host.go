package applet

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
)

// hook records that an OCI hook ran and what it was told: one line of JSON with
// the point's name and the container's state.
func hook(args []string) int {
	file, point := arg(args, 0), arg(args, 1)
	state, err := io.ReadAll(os.Stdin)
	if err != nil {
		return fail(err)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, state); err != nil {
		return fail(err)
	}
	line, err := json.Marshal(struct {
		Point string          `json:"point"`
		State json.RawMessage `json:"state"`
	}{point, compact.Bytes()})
	if err != nil {
		return fail(err)
	}
	if err := appendLine(file, string(line)); err != nil {
		return fail(err)
	}
	if len(args) > 2 {
		return number(args[2])
	}
	return 0
}

// The descriptors that containerd's binary logging gives to a logger.
const (
	loggerStdout = 3
	loggerStderr = 4
	loggerReady  = 5
)

// logger is a binary:// logger: it copies both streams to files until they end,
// and only then ends itself, however often it is asked to.
func logger(args []string) int {
	term := onTerm()
	go func() { // ends with the process
		for range term {
		}
	}()
	dir, id := arg(args, 0), os.Getenv("CONTAINER_ID")
	var errs [2]error
	var wg sync.WaitGroup
	for i, name := range []string{"stdout", "stderr"} {
		f, err := os.Create(filepath.Join(dir, id+"."+name))
		if err != nil {
			return fail(err)
		}
		wg.Go(func() {
			_, err := io.Copy(f, os.NewFile(uintptr(loggerStdout+i), name))
			errs[i] = errors.Join(err, f.Close())
		})
	}
	if err := ready(); err != nil {
		return fail(err)
	}
	wg.Wait()
	if err := errors.Join(errs[:]...); err != nil {
		return fail(err)
	}
	// The last word: a test that sees this file knows that the logger saw the
	// end of both streams and was not cut off before.
	end := filepath.Join(dir, id+".end")
	if err := os.WriteFile(end, []byte(os.Getenv("CONTAINER_NAMESPACE")), 0o644); err != nil {
		return fail(err)
	}
	return 0
}

// ready tells the shim that the logger listens: a byte, which binary-v2://
// asks for, and then the end of the pipe, which binary:// asks for.
func ready() error {
	f := os.NewFile(loggerReady, "ready")
	_, err := f.Write([]byte{0})
	return errors.Join(err, f.Close())
}

// loggerDies is a logger that crashes: while it works, or before it is ready.
func loggerDies(args []string) int {
	if len(args) > 0 && args[0] == "silent" {
		return 3
	}
	if err := ready(); err != nil {
		return fail(err)
	}
	if _, err := os.NewFile(loggerStdout, "stdout").Read(make([]byte, 1)); err != nil {
		return fail(err)
	}
	return 3
}
