package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"

	"github.com/containerd/errdefs"

	"jailshim/snapshotter-zfs/engine"
)

// atOnce is how many commands run at the same time.
const atOnce = 8

// exitUsage is the exit status of zfs(8) for what it does not understand.
const exitUsage = 2

// Engine runs zfs(8).
type Engine struct {
	program string
	gate    *engine.Gate
	caps    engine.Capabilities
	// modern is OpenZFS, which sets several properties at once and tells more.
	modern bool
	// alone is held by those who list, for reading, and who destroy; see destroy.
	alone sync.RWMutex
}

var _ engine.Engine = (*Engine)(nil)

// Config is how to run zfs(8).
type Config struct {
	// Program is its name or path; "" is "zfs".
	Program string
}

// Open finds out what the zfs(8) can do for a pool, which must be imported
// (Unavailable).
func Open(ctx context.Context, pool string, c Config) (*Engine, error) {
	if err := engine.CheckDataset(engine.OpOpen, pool); err != nil {
		return nil, err
	}
	e := &Engine{program: c.Program, gate: engine.NewGate(atOnce), caps: engine.Capabilities{Engine: "command"}}
	if e.program == "" {
		e.program = "zfs"
	}
	if _, err := exec.LookPath(e.program); err != nil {
		return nil, &engine.Error{Op: engine.OpOpen, Object: pool, Detail: err.Error() + "; install OpenZFS's zfs(8)", Class: errdefs.ErrUnavailable}
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("%s %q: %w", engine.OpOpen, pool, err)
	}
	// zfs-fuse does not know these properties and says so before it looks for the pool.
	_, text, err := e.run("get", "-Hp", "-o", "value", "written,clones", pool)
	var exit *exec.ExitError
	switch {
	case err == nil:
		e.modern = true
	case errors.As(err, &exit) && exit.ExitCode() == exitUsage:
		_, text, err = e.run("get", "-Hp", "-o", "value", "type", pool)
	}
	if err != nil {
		return nil, e.failed(engine.OpOpen, pool, text, err)
	}
	e.caps.SnapshotMany, e.caps.Written, e.caps.SnapshotMounts = e.modern, e.modern, e.modern
	return e, nil
}

// Capabilities implements [engine.Engine].
func (e *Engine) Capabilities() engine.Capabilities { return e.caps }

// Close implements [engine.Engine].
func (e *Engine) Close() error {
	e.gate.Close()
	return nil
}

// do waits for its turn and runs zfs(8) for an operation.
func (e *Engine) do(ctx context.Context, op, object string, args ...string) (string, error) {
	leave, err := e.gate.Enter(ctx, op, object)
	if err != nil {
		return "", err
	}
	defer leave()
	out, text, err := e.run(args...)
	if err != nil {
		return "", e.failed(op, object, text, err)
	}
	return out, nil
}

// run runs zfs(8), and returns what it wrote to standard output and error.
func (e *Engine) run(args ...string) (out, text string, err error) {
	cmd := exec.Command(e.program, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	return stdout.String(), stderr.String(), err
}

// failed makes an error of a failed zfs(8). It tells a pool that is not imported from
// what is missing in one that is.
func (e *Engine) failed(op, object, text string, err error) error {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return &engine.Error{Op: op, Object: object, Detail: err.Error(), Class: errdefs.ErrUnavailable}
	}
	failed := asError(op, object, text)
	if failed.Detail == "" {
		failed.Detail = "zfs: " + exit.String()
	}
	pool := engine.Pool(object)
	if errors.Is(failed.Class, errdefs.ErrNotFound) && pool != "" {
		if _, text, err := e.run("get", "-Hp", "-o", "value", "type", pool); err != nil && errnoOf(text) == failed.Errno {
			failed.Class = errdefs.ErrUnavailable
			failed.Detail = fmt.Sprintf("pool %q is not imported; see zpool-import(8)", pool)
		}
	}
	return failed
}

// options are the "-o" arguments for properties.
func options(props map[string]string) []string {
	var args []string
	for _, p := range assignments(props) {
		args = append(args, "-o", p)
	}
	return args
}

// lines are a command's output without what is empty.
func lines(out string) []string {
	return strings.FieldsFunc(out, func(c rune) bool { return c == '\n' })
}
