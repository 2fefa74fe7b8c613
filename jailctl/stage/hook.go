package stage

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"time"
)

// runHook runs a hook to its end, or to its timeout.
func runHook(h *Hook) error {
	ctx := context.Background()
	if h.Seconds > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(h.Seconds)*time.Second)
		defer cancel()
	}
	cmd := exec.CommandContext(ctx, h.Path)
	if len(h.Args) > 0 {
		cmd.Args = h.Args
	}
	// Not nil, which would mean the runtime's environment.
	cmd.Env = append([]string{}, h.Env...)
	cmd.Stdin = bytes.NewReader(h.State)
	// What a killed hook has started may hold its output.
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return fmt.Errorf("not done within %d s", h.Seconds)
	}
	if err != nil && len(out) > 0 {
		return fmt.Errorf("%w: %s", err, bytes.TrimSpace(out))
	}
	return err
}
