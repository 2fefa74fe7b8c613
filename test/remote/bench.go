package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
)

// docs is where the benchmark's result goes: on the machine, relative to the
// suite's folder, and here, to the repository's.
const docs = "docs"

// bench runs the benchmark, shows what it says, and brings its result.
func (m *machine) bench(ctx context.Context, t *suite) error {
	if err := m.sendScripts(ctx, t); err != nil {
		return err
	}
	args := m.ssh(t.runScript(0))
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	// It removes what it has made when it is told to end.
	cmd.Cancel = func() error { return m.end(context.WithoutCancel(ctx), t) }
	cmd.WaitDelay = patience
	failed := cmd.Run()
	ctx = context.WithoutCancel(ctx)
	if err := m.end(ctx, t); err != nil {
		return errors.Join(failed, err)
	}
	// A run that fails a bound has a result, and one of a part has none.
	if err := m.fetch(ctx, t, fmt.Sprintf("mkdir -p %[1]s && tar -czf - %[1]s", docs), "."); err != nil {
		return errors.Join(failed, fmt.Errorf("fetch the result: %w", err))
	}
	return failed
}
